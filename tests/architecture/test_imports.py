"""The import contracts of pyproject.toml, and proof that the rules they are made of bite."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

INTRUSIONS = [
    ("services never import each other", "services/escrow/handlers/intruder.py", "import services.ledger.domain.journals"),
    ("common never imports a service", "libs/common/web/intruder.py", "import services.ledger.app"),
    ("rooms of a service look inward only", "services/ledger/domain/intruder.py", "import services.ledger.store.rows"),
    ("domain is pure", "services/ledger/domain/intruder.py", "import asyncio"),
    ("the rooms of common are layered", "libs/common/kernel/intruder.py", "import libs.common.contracts.topology"),
    ("only the tables and the migrations know SQLModel", "services/ledger/handlers/intruder.py", "import sqlmodel"),
    ("a running service never loads its tables", "services/ledger/app.py", "import services.ledger.store.tables"),
    ("only payouts and the sandbox chain know Stellar's library", "services/ledger/handlers/intruder.py", "import stellar_sdk"),
    ("the sandbox chain is the outside", "deploy/sandbox/horizon/ledger/intruder.py", "import libs.common.kernel.clock"),
    ("the launcher imports no service", "deploy/local/intruder.py", "import services.ledger.app"),
]


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=tree, capture_output=True, text=True, timeout=120, check=False
    )


def copy_of_the_tree(target: Path) -> Path:
    """The sources as they are, so that a rule can be broken without touching them."""
    for folder in ("libs/common", "services", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            copied = target / path.relative_to(ROOT)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
    (target / "libs/__init__.py").touch()
    (target / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    return target


def test_every_contract_is_tried() -> None:
    titles = [contract["name"] for contract in CONTRACTS]
    assert [title for title in titles if not any(title.startswith(start) for start, _, _ in INTRUSIONS)] == []


def test_the_contracts_are_kept(tmp_path: Path) -> None:
    result = lint(copy_of_the_tree(tmp_path))
    assert result.returncode == 0, result.stdout


def test_every_contract_catches_its_intruder(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    for _, where, line in INTRUSIONS:
        path = tree / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    result = lint(tree)
    assert result.returncode == 1
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    missed = [start for start, _, _ in INTRUSIONS if not any(title.startswith(start) for title in broken)]
    assert missed == []
