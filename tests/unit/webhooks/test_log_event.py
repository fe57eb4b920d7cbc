"""However events arrive, the log has each once, in sequence, at contiguous positions."""

import itertools
import random
from collections import defaultdict
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.envelope import Event
from libs.common.kernel.ids import Tenant
from libs.common.messaging.use_cases import Context
from libs.common.persistence.state import State
from services.webhooks.handlers.log_event import LogEvent
from services.webhooks.store.delivery_rows import DELIVERIES, DeliveryRow
from services.webhooks.store.endpoint_rows import SUBSCRIPTIONS, SubscriptionRow
from services.webhooks.store.log_rows import EVENT_LOG, GAPS, EventRow

TENANT = Tenant("acme:live")
_numbers = itertools.count()


def _context(message_id: str, tenant: Tenant = TENANT) -> Context:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Context(tenant, message_id, "", now, "bat_1", lambda prefix: f"{prefix}_{next(_numbers)}")


def _arrive(state: State, aggregate: str, sequence: int, *, kind: str = "order.created", tenant: Tenant = TENANT) -> None:
    data = msgspec.Raw(b'{"n":%d}' % sequence)
    event = Event(aggregate, sequence, "2026-01-01T00:00:00.000Z", data, user_ids=("usr_1",))
    decision = LogEvent(kind).decide(state, event, _context(f"evt_{aggregate}_{sequence}", tenant))
    for table, row in decision.rows:
        state.put(table, row)
    for table, key in decision.removed:
        state.remove(table, key)


def _log(state: State, tenant: Tenant = TENANT) -> list[EventRow]:
    return state.under(EVENT_LOG, (tenant,))


def _deliveries(state: State, endpoint_id: str) -> list[DeliveryRow]:
    return state.under(DELIVERIES, (TENANT, endpoint_id))


@given(
    st.dictionaries(st.sampled_from(["order:a", "order:b", "balance:c"]), st.integers(1, 12), min_size=1),
    st.integers(0, 2),
    st.randoms(use_true_random=False),
)
def test_any_order_with_repeats_gives_one_log(lengths: dict[str, int], repeats: int, dice: random.Random) -> None:
    arrivals = [(name, number) for name, length in lengths.items() for number in range(1, length + 1)] * (1 + repeats)
    dice.shuffle(arrivals)
    state = State()
    for aggregate, sequence in arrivals:
        _arrive(state, aggregate, sequence)
    log = _log(state)
    assert [row.position for row in log] == list(range(1, sum(lengths.values()) + 1))
    sequences = defaultdict(list)
    for row in log:
        sequences[row.aggregate].append(row.sequence)
    assert sequences == {name: list(range(1, length + 1)) for name, length in lengths.items()}
    assert state.under(GAPS, (TENANT,)) == []


def test_an_early_event_waits_and_lands_with_its_predecessor() -> None:
    state = State()
    _arrive(state, "order:a", 3)
    _arrive(state, "order:a", 2)
    assert _log(state) == []
    assert len(state.under(GAPS, (TENANT,))) == 2
    _arrive(state, "order:a", 1)
    assert [row.sequence for row in _log(state)] == [1, 2, 3]


def test_tenants_count_for_themselves() -> None:
    state, other = State(), Tenant("acme:test")
    _arrive(state, "order:a", 1)
    _arrive(state, "order:a", 1, tenant=other)
    assert [row.position for row in _log(state)] == [row.position for row in _log(state, other)] == [1]


def test_the_body_is_what_subscribers_are_promised() -> None:
    state = State()
    _arrive(state, "order:a", 1)
    expected = (
        b'{"id":"evt_order:a_1","type":"order.created","created_at":"2026-01-01T00:00:00.000Z","sequence":1,"data":{"n":1}}'
    )
    assert _log(state)[0].body == expected


def test_each_endpoint_that_asked_gets_one_delivery_per_event() -> None:
    state = State()
    for endpoint in (
        SubscriptionRow(TENANT, "wh_all", ("*",)),
        SubscriptionRow(TENANT, "wh_orders", ("order.*",)),
        SubscriptionRow(TENANT, "wh_other", ("escrow.*",)),
        SubscriptionRow("acme:test", "wh_foreign", ("*",)),
    ):
        state.put(SUBSCRIPTIONS, endpoint)
    _arrive(state, "order:a", 2)
    _arrive(state, "order:a", 1)
    _arrive(state, "order:a", 1)
    assert sorted(row.position for row in _deliveries(state, "wh_all")) == [1, 2]
    assert sorted(row.position for row in _deliveries(state, "wh_orders")) == [1, 2]
    assert [_deliveries(state, name) for name in ("wh_other", "wh_foreign")] == [[], []]


@pytest.mark.parametrize(("kind", "told"), [("webhook.exhausted", ["wh_2"]), ("webhook.created", ["wh_1", "wh_2"])])
def test_an_endpoint_that_can_not_be_reached_is_not_told_so(kind: str, told: list[str]) -> None:
    state = State()
    for name in ("wh_1", "wh_2"):
        state.put(SUBSCRIPTIONS, SubscriptionRow(TENANT, name, ("*",)))
    _arrive(state, "webhook:wh_1", 1, kind=kind)
    assert [name for name in ("wh_1", "wh_2") if _deliveries(state, name)] == told
