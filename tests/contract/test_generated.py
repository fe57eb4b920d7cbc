"""Documents that are made from the code are what the code says today. `make docs` renews them."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.error_pages import index, markdown
from tests.support.api_document import api_document

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = DOCS / "errors"


def printed(document: dict[str, Any]) -> str:
    """Write an API document the way it is committed: one value a line, so that changes can be read."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@cache
def generated() -> dict[Path, str]:
    """Every document that is made, with its text."""
    pages = {ERRORS / f"{code}.md": markdown(code) for code in CATALOGUE}
    return {ERRORS / "README.md": index(), **pages, DOCS / "openapi.json": printed(api_document())}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in generated()])
def test_a_generated_document_is_what_the_code_says(path: Path) -> None:
    assert path.exists(), f"{path.name} is new: make it with `make docs`"
    assert path.read_text() == generated()[path], f"{path.name} is old: renew it with `make docs`"


def test_no_error_page_is_left_of_a_code_that_is_gone() -> None:
    assert set(ERRORS.iterdir()) <= set(generated())


def record() -> None:
    """Write them all anew."""
    for old in set(ERRORS.glob("*.md")) - set(generated()):
        old.unlink()
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    record()
    sys.stdout.write(f"wrote {len(generated())} documents\n")
