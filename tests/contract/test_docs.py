"""The documents are true of the code where a machine can tell: links, paths, commands, variables, pictures, lengths."""

import importlib
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from libs.common.contracts.topology import SERVICES as WORKERS
from libs.common.kernel.transitions import Transitions
from libs.common.settings import ServiceSettings
from services.payouts.settings import SignerSettings

ROOT = Path(__file__).parents[2]
SERVICES = (*WORKERS, "gateway")
ROOMS = ("docs", "services", "libs", "deploy", "tests")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.md"))])
NAMED = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[A-Za-z0-9_.][\w.-]*(?:/[\w.-]+)*/?", re.ASCII)
FILE_SUFFIXES = {".py", ".md", ".toml", ".sql", ".json", ".yml", ".yaml", ".mako"}
MADE_AT_RUN_TIME = ".local/"
REJECTED = {"src/", "services/ledger/src/ledger"}
"""Paths that a decision names in order to say that there are none."""
VARIABLE = re.compile(r"\b(?:OFFERHUB|OTEL|STELLAR|AIRTM)_[A-Z_]*[A-Z]\b")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


@cache
def _code() -> str:
    """All Python of the product, in one text."""
    rooms = (ROOT / room for room in ("libs", "services", "deploy"))
    return "\n".join(path.read_text() for room in rooms for path in room.rglob("*.py"))


@cache
def _test_names() -> frozenset[str]:
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(name for source in sources for name in re.findall(r"\bdef (test_\w+)", source))


def _anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", _prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def _broken_links(path: Path) -> Iterator[str]:
    for target in LINK.findall(_prose(path)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            yield target


def _looks_like_path(text: str) -> bool:
    if PATH.fullmatch(text) is None or "/" not in text or text.startswith(MADE_AT_RUN_TIME) or text in REJECTED:
        return False
    return text.endswith("/") or Path(text).suffix in FILE_SUFFIXES or text.split("/", maxsplit=1)[0] in ROOMS


def _bases(path: Path) -> list[Path]:
    """Where a path may start: the root, the document's folder, the library; rooms that all services have, in any of them."""
    is_general = path.parent == ROOT or ROOT / "docs" in path.parents
    every_service = [ROOT / "services" / service for service in SERVICES] if is_general else []
    return [ROOT, path.parent, ROOT / "libs" / "common", *every_service]


@pytest.mark.parametrize("path", NAMED)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert list(_broken_links(path)) == []


@pytest.mark.parametrize("path", NAMED)
def test_every_path_and_test_that_is_named_exists(path: Path) -> None:
    quoted = QUOTED.findall(_prose(path))
    paths = [text for text in quoted if _looks_like_path(text)]
    assert [text for text in paths if not any((base / text).exists() for base in _bases(path))] == []
    tests = [text for text in quoted if re.fullmatch(r"test_\w+", text)]
    assert [text for text in tests if text not in _test_names()] == []


@pytest.mark.parametrize("path", NAMED)
def test_every_command_that_is_named_can_be_given(path: Path) -> None:
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    modules = [name.replace(".", "/") for name in re.findall(r"python -m ([a-z_.]+[a-z_])", text) if name != "venv"]
    assert [name for name in modules if not ((ROOT / f"{name}.py").exists() or (ROOT / name / "__main__.py").exists())] == []


@pytest.mark.parametrize("path", NAMED)
def test_every_variable_that_is_named_is_known_to_the_code(path: Path) -> None:
    assert [name for name in set(VARIABLE.findall(path.read_text())) if name not in _code()] == []


def test_every_make_target_stands_in_the_readme() -> None:
    described = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    assert [name for name in described if f"`make {name}" not in readme] == []


def _table(name: str) -> list[list[str]]:
    """Return the rows of the table behind its mark in the README, cell by cell."""
    text = (ROOT / "README.md").read_text().partition(f"<!-- table: {name} -->")[2]
    lines = itertools.takewhile(lambda line: line.startswith("|"), text.strip().splitlines())
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][2:]


def _settings(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    found = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, ServiceSettings)]
    return next(thing for thing in reversed(found) if thing.__name__ == f"{service.capitalize()}Settings")


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _is_default(cell: str, value: object) -> bool:
    """Tell whether a table cell says what the default is; words of its own are taken as they are."""
    if cell == "empty":
        return value == ""
    quoted = re.fullmatch(r"`(.+)`", cell)
    if quoted is None:
        return True
    said = quoted[1]
    return said.lower() == str(value).lower() or bool(isinstance(value, float) and float(said) == value)


def test_the_configuration_table_is_what_the_settings_classes_read() -> None:
    read: dict[str, tuple[str, bool, Any]] = {}
    readers: dict[str, type[ServiceSettings]] = {name: _settings(name) for name in SERVICES}
    everybodys = {str(field.validation_alias) for field in ServiceSettings.model_fields.values()}
    readers |= {"signer": SignerSettings, "all": ServiceSettings}
    for reader, kind in readers.items():
        for field in kind.model_fields.values():
            name = str(field.validation_alias)
            before = read.get(name)
            both = f"{before[0]}, {reader}" if before and reader != "all" and name not in everybodys else reader
            read[name] = (both, field.is_required(), _plain(field.default))
    told = {QUOTED.findall(row[0])[0]: row for row in _table("services")}
    assert {name: (row[1], row[2] == "required") for name, row in told.items()} == {
        name: (reader, required) for name, (reader, required, _) in read.items()
    }
    assert [name for name, row in told.items() if not (read[name][1] or _is_default(row[2], read[name][2]))] == []


def test_the_table_of_local_mode_is_what_the_launcher_reads() -> None:
    source = (ROOT / "deploy" / "local" / "settings.py").read_text()
    told = {name for row in _table("local") for name in QUOTED.findall(row[0])}
    assert told == set(re.findall(r"env\.get\(\"([A-Z_]+)\"", source))


def test_each_service_draws_its_state_machines_as_its_tables_say() -> None:
    drawn = 0
    for service in SERVICES:
        readme = (ROOT / "services" / service / "README.md").read_text()
        for source in sorted((ROOT / "services" / service / "domain").glob("[a-z]*.py")):
            module = importlib.import_module(f"services.{service}.domain.{source.stem}")
            for table in (thing for thing in vars(module).values() if isinstance(thing, Transitions)):
                drawn += 1
                assert f"```mermaid\n{table.mermaid()}\n```" in readme, f"{service}: {source.name}"
    assert drawn > 0


def test_the_front_pages_stay_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 230
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 300


def test_decisions_are_numbered_without_a_gap_and_have_the_form_of_the_template() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(len(DECISIONS)))
    template = re.findall(r"^## .+$", DECISIONS[0].read_text(), re.MULTILINE)
    for path in DECISIONS[1:]:
        text = path.read_text()
        assert re.findall(r"^## .+$", text, re.MULTILINE) == template, path.name
        assert text.startswith(f"# {path.name[:4]}. "), path.name
        assert re.search(r"^- Status: (proposed|accepted|replaced by \[\d{4}\])", text, re.MULTILINE), path.name
        assert len(text.splitlines()) <= 60, f"{path.name} is more than a page"


def test_the_changelog_speaks_to_callers_subscribers_and_operators() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {"API", "Events", "Operators"}
