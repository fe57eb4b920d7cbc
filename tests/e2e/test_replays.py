"""A repeat of a request is answered as the first was, to the byte, even when the gateway forgot its answer."""

import asyncpg
import pytest

from tests.e2e.market import Market

pytestmark = pytest.mark.e2e


async def test_a_credit_whose_answer_was_lost_with_the_gateway_is_answered_the_same_after_the_balance_moved_on(
    market: Market, database: asyncpg.Connection
) -> None:
    user = await market.user()
    body = {"amount": "10.00", "currency": "USD", "reference": "lost"}
    path, key = f"/users/{user}/balance/credit", f"lost-{user}"
    first = await market.post(path, body, key=market.support_key, idempotency_key=key)
    await market.credit(user, "5.00")
    forgotten = await database.execute(
        "UPDATE gateway.requests SET state = 'in_progress', status = NULL, body = NULL, claimed_at = NULL WHERE key = $1", key
    )
    assert forgotten == "UPDATE 1"
    again = await market.post(path, body, key=market.support_key, idempotency_key=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert first.json()["data"]["available"] == "10.00"
    assert await market.balance(user) == ("15.00", "0.00")
