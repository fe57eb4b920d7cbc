"""Messages only grow: a consumer of yesterday reads what we publish today, and we read what it published.

A deliberate change is recorded with `python -m tests.contract.test_messages`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common.contracts.catalog import COMMANDS, EVENTS, NOTICES, QUERIES
from libs.common.contracts.envelope import Envelope, Event, Reply
from libs.common.contracts.topology import FAMILIES, SERVICES, Topology, family

SNAPSHOTS = Path(__file__).parent / "snapshots" / "messages"
MESSAGES: dict[str, type[msgspec.Struct]] = (
    {name: kind for (name, _), kind in (COMMANDS | QUERIES | NOTICES).items()}
    | EVENTS
    | {"Envelope": Envelope, "Event": Event, "Reply": Reply}
)


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    (_,), definitions = msgspec.json.schema_components([kind], ref_template="#/{name}")
    return {"root": kind.__name__, "definitions": definitions}


def _breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, before in old["definitions"].items():
        after = new["definitions"].get(name)
        if after is None:
            found.append(f"{name} is gone")
            continue
        for field, shape in before.get("properties", {}).items():
            if field not in after.get("properties", {}):
                found.append(f"{name}.{field} is gone")
            elif {k: v for k, v in after["properties"][field].items() if k != "default"} != {
                k: v for k, v in shape.items() if k != "default"
            }:
                found.append(f"{name}.{field} changed its type")
        found += [f"{name}.{field} is now required" for field in set(after.get("required", [])) - set(before.get("required", []))]
        if before.get("enum", []) and not set(before["enum"]) <= set(after.get("enum", [])):
            found.append(f"{name} lost a value")
    return found


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_message_only_grows(name: str) -> None:
    recorded = SNAPSHOTS / f"{name}.v1.json"
    assert recorded.exists(), f"new message: record it with `python -m tests.contract.test_messages` ({name})"
    assert _breaks(json.loads(recorded.read_text()), _schema(MESSAGES[name])) == []


def test_no_recorded_message_was_dropped() -> None:
    assert {path.name.removesuffix(".v1.json") for path in SNAPSHOTS.glob("*.json")} <= set(MESSAGES)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda schema: schema["properties"].pop("kind"), "PostJournal.kind is gone"),
        (lambda schema: schema["properties"].update(currency={"type": "integer"}), "PostJournal.currency changed its type"),
        (lambda schema: schema["required"].append("subject"), "PostJournal.subject is now required"),
    ],
)
def test_a_break_is_noticed(change: Any, complaint: str) -> None:
    old, new = _schema(MESSAGES["PostJournal"]), _schema(MESSAGES["PostJournal"])
    change(new["definitions"]["PostJournal"])
    assert complaint in _breaks(old, new)


def test_fields_a_reader_does_not_know_are_ignored() -> None:
    body = b'{"order_id":"ord_1","amount":null,"invented_later":{"x":1}}'
    message = msgspec.json.decode(body, type=COMMANDS["ReserveOrder", 1])
    assert message.order_id == "ord_1"  # type: ignore[attr-defined]


def test_every_event_has_a_family_that_somebody_listens_to() -> None:
    assert {family(name) for name in EVENTS} <= set(FAMILIES)
    keys = {key for _, key in Topology().event_queue("webhooks").bindings}
    assert keys == set(FAMILIES)


def test_every_queue_of_commands_ends_in_dead_letters_and_none_counts_deliveries_as_attempts() -> None:
    topology = Topology("p.")
    for service in SERVICES:
        arguments = topology.command_queue(service).arguments
        assert arguments["x-dead-letter-routing-key"] == topology.dead_queue(service).name
        assert arguments["x-delivery-limit"] == 100
        assert topology.retry_queue(service).arguments["x-dead-letter-routing-key"] == topology.command_queue(service).name


def record() -> None:
    """Write today's shapes as the ones to keep."""
    SNAPSHOTS.mkdir(parents=True, exist_ok=True)
    for name, kind in MESSAGES.items():
        text = json.dumps(_schema(kind), indent=1, sort_keys=True)
        (SNAPSHOTS / f"{name}.v1.json").write_text(text + "\n")


if __name__ == "__main__":
    record()
    sys.stdout.write(f"recorded {len(MESSAGES)} messages\n")
