"""Changing an endpoint, and asking for a test of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.common.contracts.commands.webhooks import SendTestEvent, UpdateEndpoint
from libs.common.contracts.replies.webhooks import Endpoint, SentTest
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.use_cases import Context
from libs.common.persistence.state import State
from services.webhooks.domain.endpoints import url_problem
from services.webhooks.domain.event_filters import wants
from services.webhooks.handlers import send_test_event
from services.webhooks.handlers.update_endpoint import UpdateEndpointUseCase
from services.webhooks.store.endpoint_rows import ENDPOINTS, EndpointRow
from services.webhooks.store.gates import GATES, GateRow

TENANT = Tenant("acme:live")
MADE, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
CONTEXT = Context(TENANT, "cmd_7", "", NOW, "bat_1", new_id)
UPDATE = UpdateEndpointUseCase(lambda url: url_problem(url, allow_private=False), lease=timedelta(seconds=30))
ROW = EndpointRow(TENANT, "wh_1", "https://x.test", ("*",), "mine", active=True, sequence=4, created_at=MADE, updated_at=MADE)


def _state(row: EndpointRow = ROW) -> State:
    state = State()
    state.put(ENDPOINTS, row)
    return state


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (UpdateEndpoint("wh_1", url="https://y.test"), {"url": "https://y.test"}),
        (UpdateEndpoint("wh_1", events=("order.*", "order.*")), {"events": ("order.*",)}),
        (UpdateEndpoint("wh_1", description=None), {"description": None}),
        (UpdateEndpoint("wh_1", description="ours"), {"description": "ours"}),
        (UpdateEndpoint("wh_1", active=False), {"active": False}),
        (UpdateEndpoint("wh_1", order_mode="fifo"), {"order_mode": "fifo"}),
        (UpdateEndpoint("wh_1", max_in_flight=2, max_per_second=9), {"max_in_flight": 2, "max_per_second": 9}),
    ],
)
def test_what_is_given_is_changed_and_announced(change: UpdateEndpoint, expected: dict[str, object]) -> None:
    decision = UPDATE.decide(_state(), change, CONTEXT)
    assert isinstance(decision.reply, Endpoint)
    assert isinstance(decision.before, Endpoint)
    before, after = msgspec.structs.asdict(decision.before), msgspec.structs.asdict(decision.reply)
    changed = {name: value for name, value in after.items() if before[name] != value}
    assert changed == expected | {"updated_at": "2026-01-02T00:00:00.000Z"}
    assert [(event.type, event.sequence) for event in decision.events] == [("webhook.updated", 5)]


@pytest.mark.parametrize("change", [UpdateEndpoint("wh_1"), UpdateEndpoint("wh_1", url=ROW.url, events=("*",), active=True)])
def test_a_change_that_changes_nothing_is_told_to_nobody(change: UpdateEndpoint) -> None:
    decision = UPDATE.decide(_state(), change, CONTEXT)
    assert isinstance(decision.reply, Endpoint)
    assert (decision.rows, decision.events) == ((), ())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (UpdateEndpoint("wh_1", url="http://x.test"), "url"),
        (UpdateEndpoint("wh_1", url="https://10.0.0.1"), "url"),
        (UpdateEndpoint("wh_1", events=("nope",)), "events"),
        (UpdateEndpoint("wh_1", events=()), "events"),
        (UpdateEndpoint("wh_1", description="d" * 501), "description"),
        (UpdateEndpoint("wh_1", order_mode=""), "order_mode"),
        (UpdateEndpoint("wh_1", max_in_flight=65), "max_in_flight"),
        (UpdateEndpoint("wh_1", max_per_second=0), "max_per_second"),
    ],
)
def test_a_refusal_names_the_field_and_changes_nothing(change: UpdateEndpoint, field: str) -> None:
    decision = UPDATE.decide(_state(), change, CONTEXT)
    assert isinstance(decision.reply, Refusal)
    assert decision.reply.details["fields"][0]["field"] == field
    assert (decision.rows, decision.events) == ((), ())


@pytest.mark.parametrize(
    ("before", "change", "seconds"),
    [
        ({}, {"max_in_flight": 2}, 30),
        ({}, {"order_mode": "fifo"}, 30),
        ({"max_in_flight": 2}, {"order_mode": "per_aggregate"}, 30),
        ({"max_in_flight": 2}, {"max_per_second": 2}, None),
        ({"max_in_flight": 2}, {"max_in_flight": None}, None),
        ({"order_mode": "fifo"}, {"order_mode": "per_aggregate"}, None),
        ({"order_mode": "fifo"}, {"order_mode": "parallel"}, None),
        ({}, {"description": "other"}, None),
    ],
)
def test_the_gate_closes_for_a_lease_when_what_is_under_way_is_not_counted_or_in_no_order(
    before: dict[str, Any], change: dict[str, Any], seconds: int | None
) -> None:
    state = _state(msgspec.structs.replace(ROW, **before))
    if before:
        state.put(GATES, GateRow(TENANT, "wh_1", MADE, MADE))
    decision = UPDATE.decide(state, UpdateEndpoint("wh_1", **change), CONTEXT)
    gates = [row for table, row in decision.rows if table is GATES]
    opens = [] if seconds is None else [GateRow(TENANT, "wh_1", MADE if before else NOW, NOW + timedelta(seconds=seconds))]
    assert gates == opens


def test_a_test_event_is_numbered_and_names_its_delivery() -> None:
    decision = send_test_event.decide(_state(), SendTestEvent("wh_1"), CONTEXT)
    assert decision.reply == SentTest("whd_7", "wh_1")
    assert [(event.type, event.aggregate, event.sequence) for event in decision.events] == [("webhook.test", "webhook:wh_1", 5)]


def test_nothing_is_sent_to_what_is_not_active_or_not_there() -> None:
    paused = msgspec.structs.replace(ROW, active=False)
    replies = [
        send_test_event.decide(_state(paused), SendTestEvent("wh_1"), CONTEXT).reply,
        send_test_event.decide(State(), SendTestEvent("wh_1"), CONTEXT).reply,
        UPDATE.decide(State(), UpdateEndpoint("wh_1"), CONTEXT).reply,
    ]
    codes = [reply.code for reply in replies if isinstance(reply, Refusal)]
    assert codes == ["INVALID_STATE", "WEBHOOK_NOT_FOUND", "WEBHOOK_NOT_FOUND"]


@pytest.mark.parametrize("filters", [("*",), ("order.*",), ("webhook.*",)])
def test_a_test_is_for_its_endpoint_alone(filters: tuple[str, ...]) -> None:
    test = {"filters": filters, "event_type": "webhook.test", "aggregate": "webhook:wh_1"}
    assert wants(endpoint_id="wh_1", **test)  # type: ignore[arg-type]
    assert not wants(endpoint_id="wh_2", **test)  # type: ignore[arg-type]


@pytest.mark.parametrize(("url", "stays"), [(ROW.url, True), ("https://y.test", False)])
def test_another_url_has_shown_nothing_yet(url: str, *, stays: bool) -> None:
    verified = msgspec.structs.replace(ROW, verified_at=MADE)
    decision = UPDATE.decide(_state(verified), UpdateEndpoint("wh_1", url=url, description="ours"), CONTEXT)
    assert isinstance(decision.reply, Endpoint)
    assert (decision.reply.verified_at is not None) is stays
