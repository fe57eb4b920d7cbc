"""The migrations of a service are one line of revisions: two that were written side by side would both be heads."""

import re
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "services"
_NAMED = re.compile(r'^revision = "(\w+)"\ndown_revision = (?:"(\w+)"|None)$', re.MULTILINE)


@pytest.mark.parametrize("service", sorted(path.parent.name for path in SERVICES.glob("*/migrations")))
def test_revisions_follow_each_other_under_the_numbers_of_their_files(service: str) -> None:
    files = sorted((SERVICES / service / "migrations" / "versions").glob("[0-9]*.py"))
    found = [(path.name[:4], *match.groups()) for path in files for match in _NAMED.finditer(path.read_text())]
    numbers = [f"{number:04}" for number in range(1, len(files) + 1)]
    assert found == [(number, number, before) for number, before in zip(numbers, [None, *numbers], strict=False)]
