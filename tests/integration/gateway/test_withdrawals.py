"""What the door asks of a withdrawal before anybody else hears of it."""

from typing import Any

import pytest

from services.gateway.settings import GatewaySettings
from tests.support.gateway import Served, error_of, serving

pytestmark = pytest.mark.integration
GOOD: dict[str, Any] = {
    "user_id": "usr_1",
    "amount": "5.00",
    "destination": {"type": "stellar", "address": "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"},
}


@pytest.mark.parametrize(
    ("changes", "headers", "field"),
    [
        ({}, {}, "Idempotency-Key"),
        ({"amount": 5}, {"Idempotency-Key": "a"}, "amount"),
        ({"amount": "0.00"}, {"Idempotency-Key": "a"}, "amount"),
        ({"destination": "G"}, {"Idempotency-Key": "a"}, "destination"),
        ({"destination": {"type": "bank", "address": "G"}}, {"Idempotency-Key": "a"}, "destination.type"),
        ({"destination": {"type": "stellar"}}, {"Idempotency-Key": "a"}, "destination.address"),
    ],
)
async def test_a_bad_withdrawal_is_refused_with_its_field(
    served: Served, changes: dict[str, Any], headers: dict[str, str], field: str
) -> None:
    answer = await served.client.post("/withdrawals", json=GOOD | changes, headers=headers)
    assert answer.status_code == 400, answer.text
    assert field in [each["field"] for each in error_of(answer)["details"]["fields"]]


async def test_a_user_has_five_a_minute_whoever_asks(config: GatewaySettings) -> None:
    """Nobody obeys behind this gateway: what is counted is that they were asked."""
    limited = config.model_copy(update={"rate_limits": "on"})
    async with serving(limited) as served:
        asked = [
            served.client.post("/withdrawals", json=GOOD | {"user_id": "no id"}, headers={"Idempotency-Key": f"k{number}"})
            for number in range(6)
        ]
        answers = [await each for each in asked]
        assert [answer.status_code for answer in answers] == [404] * 5 + [429]
        assert error_of(answers[-1])["message"] == "Too many withdrawal requests"
