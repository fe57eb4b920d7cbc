"""What becomes of a delivery after each attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.domain.deliveries import DELIVERIES, DeliveryAction, DeliveryState, Verdict, judge
from services.webhooks.domain.retry_schedule import WAITS_SECONDS, wait_after


def _judge(status: int | None, attempts: int = 1) -> Verdict:
    return judge(status, attempts=attempts, waits=WAITS_SECONDS, spread=0.0)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_success_status_delivers(status: int) -> None:
    assert _judge(status).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [None, 100, 199, 301, 302, 400, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status: int | None) -> None:
    verdict = _judge(status)
    assert (verdict.state, verdict.wait_seconds) == (DeliveryState.PENDING, 5.0)


def test_gone_gives_up_at_once() -> None:
    assert _judge(410) == Verdict(DeliveryAction.GIVE_UP, is_gone=True)


def test_the_twelfth_failure_is_the_last() -> None:
    assert _judge(500, attempts=11).state is DeliveryState.PENDING
    assert _judge(500, attempts=12).state is DeliveryState.EXHAUSTED
    assert _judge(200, attempts=12).state is DeliveryState.DELIVERED


def test_the_schedule_spans_three_days() -> None:
    assert 75 < sum(WAITS_SECONDS) / 3600 < 77


@given(st.integers(1, 11), st.floats(-1.0, 1.0))
def test_jitter_stays_within_a_fifth(attempts: int, spread: float) -> None:
    wait = wait_after(attempts, waits=WAITS_SECONDS, spread=spread)
    assert wait is not None
    assert 0.8 * WAITS_SECONDS[attempts - 1] <= wait + 1e-9
    assert wait <= 1.2 * WAITS_SECONDS[attempts - 1] + 1e-9


def test_nothing_but_a_resend_leaves_a_final_state() -> None:
    final = set(DeliveryState) - {DeliveryState.PENDING}
    leaving = {action for state, action in DELIVERIES.table if state in final}
    assert leaving == {DeliveryAction.RESEND}
    assert {target for (_, action), target in DELIVERIES.table.items() if action is DeliveryAction.RESEND} == {
        DeliveryState.PENDING
    }
    assert final == {target for target in DELIVERIES.table.values() if target != DeliveryState.PENDING}
