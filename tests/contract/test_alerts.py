"""Alerts ask for what the services expose, and what they expose of deliveries is explained."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, Counter, Histogram

from libs.common.contracts.topology import SERVICES

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
METRIC = re.compile(r"(offerhub_\w+)(?:\{([^}]*)\})?")
BOUNDED = {"answer", "cause", "currency", "kind", "outcome", "reason", "route", "rule", "service", "state", "status", "type"}
"""Labels whose values are few, and known when the code is written."""


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """The label names of every sample of ours, by its name; a histogram's own name is the one of no sample."""
    for service in (*SERVICES, "gateway"):
        importlib.import_module(f"services.{service}.app")
    names: dict[str, Any] = REGISTRY._names_to_collectors
    ours = {name: found for name, found in names.items() if name.startswith("offerhub_")}
    is_family = {name for name, found in ours.items() if isinstance(found, Counter | Histogram) and name == found._name}
    return {name: set(found._labelnames) for name, found in ours.items() if name not in is_family}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_exposed_and_says_what_to_do(rule: dict[str, Any], exposed: dict[str, set[str]]) -> None:
    asked = METRIC.findall(rule["expr"])
    assert asked
    for name, labels in asked:
        assert name in exposed
        assert set(re.findall(r"(\w+)\s*[=!]", labels)) <= exposed[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description"}
    named = {name for text in rule["annotations"].values() for name, _ in METRIC.findall(text)}
    assert named <= exposed.keys()


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) > 0


def test_no_label_can_have_any_number_of_values(exposed: dict[str, set[str]]) -> None:
    assert {name: labels for name, labels in exposed.items() if not labels <= BOUNDED} == {}


def test_every_number_of_deliveries_is_explained(exposed: dict[str, set[str]]) -> None:
    from services.webhooks.entrypoints import figures  # noqa: PLC0415 - after the services

    ours = {metric._name for metric in vars(figures).values() if hasattr(metric, "_labelnames")}
    told = FILE.with_name("README.md").read_text()
    assert [name for name in ours if f"`{name}" not in told] == []
    families = {re.sub(r"_(count|total)$", "", name) for name in exposed}
    assert {name for name, _ in METRIC.findall(told)} <= exposed.keys() | families
