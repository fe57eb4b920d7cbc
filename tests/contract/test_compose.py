"""docker-compose.yml and the Dockerfile, held to what can be known without a Docker engine."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "ledger", "escrow", "payouts", "webhooks")
SCHEMA = json.loads((ROOT / "tests/contract/schemas/compose-spec.json").read_text())
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:?[-?][^}]*)?\}")


def example_values() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def stage(name: str) -> str:
    """The lines of one build stage."""
    parts = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    return next(part for part in parts if part.splitlines()[0].endswith(f" AS {name}"))


def test_the_file_satisfies_the_compose_specification() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(COMPOSE)


def test_the_schema_refuses_a_misspelt_key() -> None:
    broken = COMPOSE | {"services": COMPOSE["services"] | {"ledger": {"image": "x", "depend_on": []}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(broken)


def test_every_variable_is_in_the_example_and_the_example_has_no_other() -> None:
    assert {name for name, _ in VARIABLE.findall(TEXT)} == set(example_values())


def test_what_the_example_leaves_empty_is_required_and_what_it_fills_in_has_that_default() -> None:
    values = example_values()
    for name, rest in VARIABLE.findall(TEXT):
        if rest.startswith(":-"):
            assert rest == f":-{values[name]}"
        else:
            assert rest.startswith(":?")
            assert values[name] == ""


def test_all_five_services_wait_for_the_schemas_and_the_broker() -> None:
    for service in SERVICES:
        block = COMPOSE["services"][service]
        assert block["build"]["args"] == {"SERVICE": service}
        assert block["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "rabbitmq": {"condition": "service_healthy"},
        }


def test_only_the_migration_knows_the_owners_password() -> None:
    knows = [name for name, block in COMPOSE["services"].items() if "${POSTGRES_PASSWORD" in str(block.get("environment"))]
    assert knows == ["postgres", "migrate"]


def test_only_the_signer_is_told_what_opens_and_what_signs() -> None:
    for name in ("OFFERHUB_WALLET_KEYS", "STELLAR_SPONSOR_SECRET", "STELLAR_TREASURY_SECRET", "OFFERHUB_SIGNER_DB_SECRET"):
        told = {service for service, block in COMPOSE["services"].items() if name in block.get("environment", {})}
        assert told - {"migrate"} == {"signer"}, name
    signer, payouts = COMPOSE["services"]["signer"], COMPOSE["services"]["payouts"]
    assert (signer["build"], signer["volumes"]) == (payouts["build"], payouts["volumes"])
    assert signer["command"] == ["python", "-m", "services.payouts.signer"]


def test_only_the_gateway_is_reachable_from_the_host_and_only_over_loopback() -> None:
    ports = {name: block["ports"] for name, block in COMPOSE["services"].items() if "ports" in block}
    assert ports == {"gateway": ["127.0.0.1:${PORT:-4000}:4000"]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_image_runs_it_and_holds_no_other_service(service: str, tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) (\S+)$", stage("service"), flags=re.MULTILINE)
    assert len(copied) == 2
    for source, target in copied:
        shutil.copytree(ROOT / source.replace("${SERVICE}", service), tmp_path / target.replace("${SERVICE}", service))
    others = [other for other in SERVICES if other != service]
    program = (
        f"import importlib.util, services.{service}.app, services.{service}.settings\n"
        f"assert not any(importlib.util.find_spec(f'services.{{name}}') for name in {others})"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60)


def test_the_migration_image_holds_tables_and_migrations_only(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "libs/common", tmp_path / "libs/common")
    assert 'cp -r "$service/migrations"' in stage("schemas")
    assert 'cp "$service"/store/*tables.py' in stage("schemas")
    for service in SERVICES:
        shutil.copytree(ROOT / "services" / service / "migrations", tmp_path / "services" / service / "migrations")
        (tmp_path / "services" / service / "store").mkdir()
        for tables in (ROOT / "services" / service / "store").glob("*tables.py"):
            shutil.copy(tables, tmp_path / "services" / service / "store")
    modules = "; ".join(f"import services.{service}.store.tables" for service in SERVICES)
    program = f"from libs.common.persistence.migrate import services; assert len(services()) == 5; {modules}"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60)
