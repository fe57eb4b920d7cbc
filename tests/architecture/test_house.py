"""Rules of this house that ruff and import-linter cannot know."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "ledger", "escrow", "payouts", "webhooks")
ROOMS = {"entrypoints", "handlers", "domain", "store", "migrations", "clients", "console"}
SINGLE_FILES = {"__init__.py", "__main__.py", "app.py", "settings.py", "pyproject.toml", "README.md"}
SECOND_PROCESSES = {"payouts": {"signer.py"}}
MONEY_ROOMS = (
    "libs/common/kernel",
    "libs/common/contracts",
    "services/ledger/domain",
    "services/escrow/domain",
    "services/payouts/domain",
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FORBIDDEN_MODULES = {"utils", "util", "helpers", "misc", "manager", "managers", "common_utils", "base"}
# Spelt apart, so that this file does not forbid itself.
FORBIDDEN_WORDS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "/wo" + "rk/", "NotImplemented" + "Error")
EXCHANGES = re.compile(r"offerhub\.(commands|events|queries|notices)")
QUEUES = re.compile(rf"({'|'.join(SERVICES)})\.(commands|events|queries|retry|dead|replies|notices)")


def sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not {"node_modules", ".venv", "__pycache__"} & set(path.parts))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """String literals with their lines, except docstrings (of attributes too) and names of loggers."""
    tree = parsed(path)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_logger":
            skipped |= {id(argument) for argument in node.args}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


EVERYTHING = sources("libs", "services", "deploy", "tests")
PRODUCT = sources("libs", "services", "deploy")


def test_files_are_short() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in EVERYTHING}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_functions_are_short() -> None:
    long = {
        f"{named(path)}:{function.name}": length
        for path in EVERYTHING
        for function in functions(parsed(path))
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_every_init_is_empty() -> None:
    assert [named(path) for path in EVERYTHING if path.name == "__init__.py" and path.read_text()] == []


def test_no_module_is_named_after_nothing() -> None:
    assert [named(path) for path in PRODUCT if path.stem in FORBIDDEN_MODULES] == []


def test_where_money_is_there_is_no_float() -> None:
    """Neither as a type nor as a literal; durations in seconds are the exception."""
    found = []
    for path in sources(*MONEY_ROOMS):
        lines = path.read_text().splitlines()
        found += [
            f"{named(path)}:{node.lineno}"
            for node in ast.walk(parsed(path))
            if is_float(node) and "_seconds" not in lines[node.lineno - 1].lower()
        ]
    assert found == []


def is_float(node: ast.AST) -> TypeGuard[ast.expr]:
    literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
    return literal or (isinstance(node, ast.Name) and node.id == "float")


def test_rules_and_contracts_are_typed_to_the_last_field() -> None:
    """`Any` is for the values of a caller's own JSON object, and for what carries a reason."""
    json_object = re.compile(r"dict\[str, Any\]|list\[tuple\[str, Any\]\]")
    found = [
        f"{named(path)}:{number}"
        for path in sources("libs/common/contracts", *(f"services/{service}/domain" for service in SERVICES))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\bAny\b", json_object.sub("", line)) and "import" not in line and "noqa: ANN401 - " not in line
    ]
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_rooms_every_service_has(service: str) -> None:
    entries = [path for path in (ROOT / "services" / service).iterdir() if path.name != "__pycache__"]
    assert {path.name for path in entries if path.is_dir() and any(path.rglob("*.py"))} <= ROOMS
    assert {path.name for path in entries if path.is_file()} == SINGLE_FILES | SECOND_PROCESSES.get(service, set())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_it_is_for(service: str) -> None:
    lines = (ROOT / "services" / service / "README.md").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert 5 < len(lines) < 150


def test_names_of_the_bus_are_written_in_the_topology_only() -> None:
    topology = ROOT / "libs/common/contracts/topology.py"
    found = [
        f"{named(path)}:{line} {text!r}"
        for path in PRODUCT
        if path != topology
        for line, text in strings(path)
        if EXCHANGES.search(text) or QUEUES.fullmatch(text)
    ]
    assert found == []


def test_sql_is_spoken_in_stores_only() -> None:
    """An SQL statement is a literal that begins as one; migrations and the shared persistence room may have them too."""
    statement = re.compile(r"\s*(SELECT\s.+\sFROM\s|INSERT INTO\s|UPDATE\s\w+\s.*SET\s|DELETE FROM\s|WITH\s\w+\sAS)", re.DOTALL)
    rooms = {"store", "migrations", "persistence"}
    found = [
        f"{named(path)}:{line}"
        for path in sources("services", "libs")
        if not rooms & set(path.parts)
        for line, text in strings(path)
        if statement.match(text)
    ]
    assert found == []


def test_nothing_is_left_for_later_and_no_path_of_one_machine_is_named() -> None:
    suffixes = {".py", ".md", ".toml", ".yml", ".yaml", ".sh", ".sql", ".mako", ".ts", ".js", ".html", ".css"}
    folders = ("libs", "services", "deploy", "tests", "docs", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in suffixes and path.is_file()]
    files += [
        path
        for path in ROOT.iterdir()
        if path.is_file() and path.suffix in {*suffixes, ""} and path.name not in {"LICENSE", ".git"}
    ]
    found = [
        f"{named(path)}: {word}"
        for path in files
        if "node_modules" not in path.parts
        for word in FORBIDDEN_WORDS
        if word in path.read_text(errors="replace")
    ]
    assert found == []


def test_only_settings_and_commands_read_the_environment() -> None:
    found = [
        f"{named(path)}:{node.lineno}"
        for path in sources("libs/common", "services")
        if path.name != "settings.py" and '__name__ == "__main__"' not in path.read_text()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]
    assert found == []


def test_wide_excepts_say_why_they_are_at_an_edge() -> None:
    wide = re.compile(r"except (Base)?Exception\b")
    found = [
        f"{named(path)}:{number}"
        for path in PRODUCT
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if wide.search(line) and "noqa: BLE001 - " not in line and "raise" not in following(path, number)
    ]
    assert found == []


def following(path: Path, number: int) -> str:
    """The few lines after one: a handler that raises again hides nothing."""
    return "\n".join(path.read_text().splitlines()[number : number + 4])
