"""The documents that integrators read, an API reference and guides: kept apart from this repository, and found when a test runs.

`OFFERHUB_CLIENT_DOCS` names the directory of their text files. Without it, it is `seeds` in any directory beside the repository.
"""

import os
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.client_docs.extract import Document, read

_ROOT: Final = Path(__file__).resolve().parents[3]
_VARIABLE: Final = "OFFERHUB_CLIENT_DOCS"
MISSING: Final = pytest.mark.skip(reason=f"no documents: {_VARIABLE} names no directory, and none is beside the repository")


@cache
def documents() -> tuple[Document, ...]:
    """Read the documents, by name; none when they are nowhere.

    Raises:
        FileNotFoundError: the directory that the environment names has none.
    """
    named = os.environ.get(_VARIABLE)
    files = sorted(Path(named).glob("*.txt")) if named else _beside_us()
    if named and not files:
        raise FileNotFoundError(f"{_VARIABLE} names {named}, which holds no text files")
    return tuple(read(file.stem, file.read_text()) for file in files)


def _beside_us() -> list[Path]:
    found = sorted(_ROOT.parent.glob("*/seeds/*.txt"))
    return [file for file in found if file.parent == found[0].parent]
