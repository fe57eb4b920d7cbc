"""However many ask at once, money moves exactly as often as it should."""

import asyncio
from collections import Counter

import asyncpg
import pytest

from tests.e2e.market import Market
from tests.support.oracles import books_hold

pytestmark = pytest.mark.e2e


async def test_of_fifty_concurrent_reserves_exactly_as_many_succeed_as_there_is_money_for(
    market: Market, database: asyncpg.Connection
) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    orders = await asyncio.gather(*(market.order(buyer, seller) for _ in range(50)))
    answers = await asyncio.gather(*(market.post(f"/orders/{order}/reserve") for order in orders))
    assert Counter(answer.status_code for answer in answers) == {200: 10, 422: 40}
    refused = [order for order, answer in zip(orders, answers, strict=True) if answer.status_code == 422]
    errors = [answer.json()["error"] for answer in answers if answer.status_code == 422]
    assert {error["code"] for error in errors} == {"INSUFFICIENT_FUNDS"}
    assert errors[0]["details"]["requested"] == "10.00"
    assert await market.balance(buyer) == ("0.00", "100.00")
    await market.credit(buyer, "10.00")
    assert (await market.make(f"/orders/{refused[0]}/reserve"))["status"] == "FUNDS_RESERVED"
    await books_hold(database)


async def test_of_twenty_concurrent_reserves_of_one_order_one_succeeds(market: Market) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    order = await market.order(buyer, seller)
    answers = await asyncio.gather(*(market.post(f"/orders/{order}/reserve") for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    assert {answer.json()["error"]["code"] for answer in answers if answer.status_code == 409} == {"INVALID_STATE"}
    assert await market.balance(buyer) == ("90.00", "10.00")


async def test_twenty_identical_posts_with_one_key_make_one_order(market: Market, database: asyncpg.Connection) -> None:
    buyer, seller = await market.user(), await market.user()
    body = {"buyer_id": buyer, "seller_id": seller, "amount": "10.00", "currency": "USD", "title": "Once"}
    answers = await asyncio.gather(*(market.post("/orders", body, idempotency_key=f"once-{buyer}") for _ in range(20)))
    good = [answer for answer in answers if answer.status_code == 201]
    assert good
    assert len({answer.content for answer in good}) == 1
    others = {answer.json()["error"]["code"] for answer in answers if answer.status_code != 201}
    assert others <= {"IDEMPOTENCY_KEY_IN_PROGRESS"}
    again = await market.post("/orders", body, idempotency_key=f"once-{buyer}")
    assert (again.status_code, again.content) == (201, good[0].content)
    assert again.headers["Idempotency-Replay"] == "true"
    assert again.headers["X-Idempotency-Key"] == f"once-{buyer}"
    assert await database.fetchval("SELECT count(*) FROM escrow.orders WHERE buyer_id = $1", buyer) == 1


async def test_release_refund_and_dispute_at_one_instant_have_one_winner(market: Market, database: asyncpg.Connection) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    orders = await asyncio.gather(*(market.funded(buyer, seller) for _ in range(5)))
    for order in orders:
        answers = await asyncio.gather(
            market.post(f"/orders/{order}/resolution/release"),
            market.post(f"/orders/{order}/resolution/refund", {"reason": "changed my mind"}),
            market.post(f"/orders/{order}/resolution/dispute", {"opened_by": "BUYER", "reason": "QUALITY_ISSUE"}),
            market.post(f"/orders/{order}/cancel"),
        )
        codes = Counter(answer.status_code for answer in answers)
        assert codes[200] + codes[201] == 1, [answer.text for answer in answers]
        assert codes[409] == 3
    await books_hold(database)
