"""Sending a delivery again: what becomes of it in each state, and when it is refused."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.commands.webhooks import ResendDelivery
from libs.common.contracts.replies.webhooks import ResentDelivery
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import State
from services.webhooks.domain.deliveries import DeliveryState
from services.webhooks.handlers import resend_delivery
from services.webhooks.store.delivery_rows import RESENDS, ResendRow
from services.webhooks.store.endpoint_rows import PARKINGS, SWITCHES, ParkingRow, SwitchRow

TENANT = Tenant("acme:live")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = Context(TENANT, "cmd_1", "", NOW, "bat_1", new_id)
COMMAND = ResendDelivery("wh_1", "whd_1")
ENDED = ResendRow(
    tenant=TENANT,
    endpoint_id="wh_1",
    id="whd_1",
    state="EXHAUSTED",
    attempts=12,
    base_attempts=0,
    again=False,
    next_attempt_at=NOW - timedelta(days=1),
    lease_token=None,
    lease_until=None,
)


def _decide(delivery: ResendRow | None = ENDED, *, active: bool | None = True, parked_until: datetime | None = None) -> Decision:
    state = State()
    if active is not None:
        state.put(SWITCHES, SwitchRow(TENANT, "wh_1", active))
    if delivery is not None:
        state.put(RESENDS, delivery)
    if parked_until is not None:
        state.put(PARKINGS, ParkingRow(TENANT, "wh_1", parked_until))
    return resend_delivery.decide(state, COMMAND, CONTEXT)


@pytest.mark.parametrize("before", list(DeliveryState))
def test_it_is_due_now_whatever_became_of_it_and_its_schedule_begins_anew(before: DeliveryState) -> None:
    decision = _decide(msgspec.structs.replace(ENDED, state=before.value))
    assert decision.reply == ResentDelivery("whd_1", "wh_1", attempt=13)
    expected = msgspec.structs.replace(ENDED, state="PENDING", base_attempts=12, next_attempt_at=NOW)
    assert decision.rows == ((RESENDS, expected),)


def test_another_attempt_follows_the_one_that_is_under_way() -> None:
    lease = {"state": "PENDING", "attempts": 3, "lease_token": "whd_9", "lease_until": NOW + timedelta(seconds=1)}
    under_way = msgspec.structs.replace(ENDED, **lease)
    decision = _decide(under_way)
    assert decision.reply == ResentDelivery("whd_1", "wh_1", attempt=5)
    assert decision.rows == ((RESENDS, msgspec.structs.replace(under_way, again=True)),)


def test_a_lease_that_has_lapsed_is_taken_away() -> None:
    lapsed = msgspec.structs.replace(ENDED, state="PENDING", attempts=3, lease_token="whd_9", lease_until=NOW)
    decision = _decide(lapsed)
    expected = msgspec.structs.replace(lapsed, base_attempts=3, next_attempt_at=NOW, lease_token=None, lease_until=None)
    assert decision.rows == ((RESENDS, expected),)


def test_a_parked_lane_tries_at_once() -> None:
    decision = _decide(parked_until=NOW + timedelta(minutes=5))
    assert (PARKINGS, ParkingRow(TENANT, "wh_1", None)) in decision.rows


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (_decide(active=False), "INVALID_STATE"),
        (_decide(active=None), "WEBHOOK_NOT_FOUND"),
        (_decide(None), "DELIVERY_NOT_FOUND"),
        (_decide(None, active=False), "DELIVERY_NOT_FOUND"),
    ],
)
def test_a_refusal_changes_nothing(refused: Decision, code: str) -> None:
    assert isinstance(refused.reply, Refusal)
    assert refused.reply.code == code
    assert (refused.rows, refused.events) == ((), ())


@given(st.sampled_from(list(DeliveryState)), st.integers(0, 50), st.sampled_from([None, NOW, NOW + timedelta(seconds=10)]))
def test_sending_it_again_twice_is_sending_it_again_once(before: DeliveryState, attempts: int, until: datetime | None) -> None:
    delivery = msgspec.structs.replace(ENDED, state=before.value, attempts=attempts, lease_until=until)
    first = _decide(delivery)
    second = _decide(first.rows[0][1])  # type: ignore[arg-type] # the delivery
    assert second == first
