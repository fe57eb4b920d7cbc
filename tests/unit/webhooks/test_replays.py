"""Replays: which events they send, how their steps follow each other, and what is refused."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.commands.webhooks import StartReplay, SteerReplay
from libs.common.contracts.replies.webhooks import Replay
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import State
from services.webhooks.domain.replays import (
    EVENTS_AT_ONCE,
    REPLAYS,
    REPLAYS_KEPT,
    Only,
    Passed,
    ReplayAction,
    ReplayState,
    is_missing,
    is_wanted,
    remaining,
    take,
)
from services.webhooks.handlers import start_replay, steer_replay
from services.webhooks.store import delivery_rows
from services.webhooks.store.delivery_rows import ReplayRow
from services.webhooks.store.endpoint_rows import ENDPOINTS, SWITCHES, EndpointRow, SwitchRow
from services.webhooks.store.log_rows import HEADS, HeadRow

TENANT = Tenant("acme:live")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = Context(TENANT, "cmd_1", "", NOW, "bat_1", new_id)
ENDPOINT = EndpointRow(
    tenant=TENANT,
    id="wh_1",
    url="https://x.test/h",
    events=("order.*",),
    description=None,
    active=True,
    sequence=1,
    created_at=NOW,
    updated_at=NOW,
)
RUNNING = ReplayRow(TENANT, "wh_1", "rpl_1", "RUNNING", 1, 42, ("order.*",), "all", 50, 7, 5, NOW, NOW, NOW)


@pytest.mark.parametrize(
    ("event", "filters", "expected"),
    [
        (Passed(1, "order.created", "order:a", NOW), ("order.*",), True),
        (Passed(1, "order.created", "order:a", NOW), ("*",), True),
        (Passed(1, "user.created", "user:a", NOW), ("order.*",), False),
        (Passed(1, "webhook.exhausted", "webhook:wh_2", NOW), ("*",), True),
        (Passed(1, "webhook.exhausted", "webhook:wh_1", NOW), ("*",), False),
        (Passed(1, "webhook.test", "webhook:wh_1", NOW), ("*",), True),
        (Passed(1, "webhook.test", "webhook:wh_1", NOW), ("order.*",), False),
        (Passed(1, "webhook.test", "webhook:wh_2", NOW), ("*",), False),
    ],
)
def test_what_the_endpoint_could_never_have_got_it_does_not_get(
    event: Passed, filters: tuple[str, ...], *, expected: bool
) -> None:
    assert is_wanted(event, endpoint_id="wh_1", filters=filters) is expected


@pytest.mark.parametrize(
    ("states", "sent_by"),
    [
        ((), {"all", "undelivered"}),
        (("DELIVERED",), {"all"}),
        (("PENDING",), {"all"}),
        (("EXHAUSTED",), {"all", "failed", "undelivered"}),
        (("CANCELED",), {"all", "undelivered"}),
        (("EXHAUSTED", "DELIVERED"), {"all"}),
        (("EXHAUSTED", "PENDING"), {"all"}),
        (("EXHAUSTED", "CANCELED"), {"all", "failed", "undelivered"}),
    ],
)
def test_what_has_arrived_or_is_on_its_way_is_not_missing(states: tuple[str, ...], sent_by: set[str]) -> None:
    assert {str(only) for only in Only if is_missing(only, states)} == sent_by


@given(st.integers(0, 3_000), st.integers(1, 500), st.integers(1, 700), st.randoms(use_true_random=False))
def test_steps_take_every_wanted_event_once_and_in_order(length: int, limit: int, at_once: int, dice: random.Random) -> None:
    wanted = [position for position in range(1, length + 1) if dice.random() < 0.5]
    taken: list[int] = []
    cursor = 0
    while cursor < length:
        seen = [Passed(position, "order.created", "order:a", NOW) for position in range(cursor + 1, length + 1)][:EVENTS_AT_ONCE]
        inside = {event.position for event in seen}
        step = take(seen, [position for position in wanted if position in inside], end=length, limit=min(limit, at_once))
        assert cursor < step.cursor <= length
        assert len(step.positions) <= limit
        taken += step.positions
        cursor = step.cursor
    assert taken == wanted


def test_a_log_that_was_forgotten_meanwhile_is_passed_over() -> None:
    assert take([], [], end=42, limit=10).cursor == 42


@pytest.mark.parametrize(
    ("cursor", "enqueued", "pending", "expected"),
    [(0, 0, 0, 100), (50, 25, 5, 30), (100, 40, 3, 3), (100, 40, 0, 0), (10, 0, 0, 0)],
)
def test_what_remains_is_estimated_from_what_was_looked_at(cursor: int, enqueued: int, pending: int, expected: int) -> None:
    assert remaining(from_position=1, to_position=100, cursor=cursor, enqueued=enqueued, pending=pending) == expected


def _start(*replays: ReplayRow, endpoint: EndpointRow | None = ENDPOINT, head: int = 42, **wish: Any) -> Decision:
    state = State()
    if endpoint is not None:
        state.put(ENDPOINTS, endpoint)
    state.put(HEADS, HeadRow(TENANT, "events", head))
    for replay in replays:
        state.put(delivery_rows.REPLAYS, replay)
    return start_replay.decide(state, StartReplay("rpl_9", "wh_1", **wish), CONTEXT)


def test_without_a_wish_it_is_the_whole_log_by_the_subscription() -> None:
    decision = _start()
    assert isinstance(decision.reply, Replay)
    [(_, made)] = decision.rows
    assert isinstance(made, ReplayRow)
    assert (made.from_position, made.to_position, made.cursor, made.events) == (1, 42, 0, ("order.*",))
    assert (made.state, made.next_step_at) == ("RUNNING", NOW)


@pytest.mark.parametrize("wish", [{"from_position": 43}, {"from_position": 20, "to_position": 10}, {"to_position": 0}])
def test_nothing_to_replay_is_complete_at_once(wish: dict[str, Any]) -> None:
    [(_, made)] = _start(**wish).rows
    assert isinstance(made, ReplayRow)
    assert (made.state, made.next_step_at) == ("COMPLETED", None)
    assert made.cursor >= made.to_position


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"from_position": 0}, "from_position"),
        ({"to_position": 43}, "to_position"),
        ({"only": "some"}, "only"),
        ({"per_second": 0}, "per_second"),
        ({"per_second": 1_001}, "per_second"),
        ({"events": ()}, "events"),
        ({"events": ("ordr.*",)}, "events"),
    ],
)
def test_a_wish_that_can_not_be_names_its_field(wish: dict[str, Any], field: str) -> None:
    decision = _start(**wish)
    assert isinstance(decision.reply, Refusal)
    assert decision.reply.details["fields"][0]["field"] == field
    assert decision.rows == ()


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        (_start(endpoint=None), "WEBHOOK_NOT_FOUND"),
        (_start(endpoint=msgspec.structs.replace(ENDPOINT, active=False)), "INVALID_STATE"),
        (_start(RUNNING), "INVALID_STATE"),
        (_start(msgspec.structs.replace(RUNNING, state="PAUSED")), "INVALID_STATE"),
    ],
)
def test_what_stands_in_the_way_changes_nothing(decision: Decision, code: str) -> None:
    assert isinstance(decision.reply, Refusal)
    assert (decision.reply.code, decision.rows, decision.removed) == (code, (), ())


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    old = [msgspec.structs.replace(RUNNING, id=f"rpl_{number:03}", state="COMPLETED") for number in range(REPLAYS_KEPT)]
    assert _start(*old[1:]).removed == ()
    assert _start(*old).removed == ((delivery_rows.REPLAYS, (TENANT, "wh_1", "rpl_000")),)


@pytest.mark.parametrize("before", list(ReplayState))
@pytest.mark.parametrize("action", [ReplayAction.PAUSE, ReplayAction.RESUME, ReplayAction.CANCEL])
def test_a_replay_is_steered_as_its_table_says(before: ReplayState, action: ReplayAction) -> None:
    state = State()
    state.put(SWITCHES, SwitchRow(TENANT, "wh_1", active=True))
    state.put(delivery_rows.REPLAYS, msgspec.structs.replace(RUNNING, state=before.value))
    decision = steer_replay.decide(state, SteerReplay("wh_1", "rpl_1", action.value), CONTEXT)
    after = REPLAYS.after(before, action)
    if after is None:
        assert isinstance(decision.reply, Refusal)
        assert (decision.reply.code, decision.rows) == ("INVALID_STATE", ())
        return
    [(_, changed)] = decision.rows
    assert isinstance(changed, ReplayRow)
    assert changed.state == after
    assert (changed.next_step_at is None) is (after is ReplayState.PAUSED)


@pytest.mark.parametrize(("known", "code"), [(False, "WEBHOOK_NOT_FOUND"), (True, "REPLAY_NOT_FOUND")])
def test_a_replay_that_is_not_there_is_not_found(*, known: bool, code: str) -> None:
    state = State()
    if known:
        state.put(SWITCHES, SwitchRow(TENANT, "wh_1", active=True))
    decision = steer_replay.decide(state, SteerReplay("wh_1", "rpl_1", "pause"), CONTEXT)
    assert isinstance(decision.reply, Refusal)
    assert decision.reply.code == code


def test_every_replay_can_end() -> None:
    for state in (ReplayState.RUNNING, ReplayState.PAUSED):
        assert REPLAYS.after(state, ReplayAction.CANCEL) is ReplayState.CANCELED
    assert {source for source, _ in REPLAYS.table} == {ReplayState.RUNNING, ReplayState.PAUSED}
