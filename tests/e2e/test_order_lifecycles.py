"""Whole stories of orders, over HTTP alone."""

import asyncpg
import httpx
import pytest

from tests.e2e.market import Market
from tests.support.oracles import books_hold
from tests.support.workers import until

pytestmark = pytest.mark.e2e


async def test_an_order_with_milestones_is_released_to_the_seller(market: Market) -> None:
    buyer, seller = await market.user(credit="250.00"), await market.user()
    milestones = [{"ref": "draft", "title": "Draft", "amount": "40.00"}, {"ref": "final", "title": "Final", "amount": "60.00"}]
    order = await market.funded(buyer, seller, "100.00", milestones=milestones)
    assert await market.balance(buyer) == ("150.00", "100.00")
    early = await market.post(f"/orders/{order}/resolution/release")
    assert early.status_code == 409
    assert early.json()["error"]["code"] == "INVALID_STATE"
    assert early.json()["error"]["details"]["incomplete_milestones"] == ["draft", "final"]
    for ref in ("draft", "final"):
        await market.make(f"/orders/{order}/milestones/{ref}/complete")
    released = await market.make(f"/orders/{order}/resolution/release")
    assert (released["status"], released["released_amount"]) == ("RELEASED", "100.00")
    assert await market.balance(buyer) == ("150.00", "0.00")
    assert await market.balance(seller) == ("100.00", "0.00")
    final = (await market.get(f"/orders/{order}")).json()["data"]
    assert (final["status"], final["final_status"], final["escrow"]["status"]) == ("CLOSED", "RELEASED", "RELEASED")
    again = await market.post(f"/orders/{order}/resolution/release")
    assert again.status_code == 409


async def test_a_refund_gives_the_buyer_everything_back(market: Market) -> None:
    buyer, seller = await market.user(credit="50.00"), await market.user()
    order = await market.funded(buyer, seller, "50.00")
    refunded = await market.make(f"/orders/{order}/resolution/refund", {"reason": "not needed"})
    assert (refunded["status"], refunded["refunded_amount"]) == ("REFUNDED", "50.00")
    assert (await market.balance(buyer), await market.balance(seller)) == (("50.00", "0.00"), ("0.00", "0.00"))


@pytest.mark.parametrize("stage", ["ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING"])
async def test_an_order_can_be_canceled_until_its_escrow_is_funded(market: Market, stage: str) -> None:
    buyer, seller = await market.user(credit="10.00"), await market.user()
    order = await market.order(buyer, seller)
    if stage != "ORDER_CREATED":
        await market.make(f"/orders/{order}/reserve")
    if stage == "ESCROW_FUNDING":
        await market.make(f"/orders/{order}/escrow", {"amount": "10.00", "currency": "USD"})
    assert (await market.get(f"/orders/{order}")).json()["data"]["status"] == stage
    canceled = await market.make(f"/orders/{order}/cancel", {"reason": "no longer"})
    assert (canceled["status"], canceled["final_status"]) == ("CLOSED", "CANCELED")
    assert await market.balance(buyer) == ("10.00", "0.00")


@pytest.mark.parametrize(
    ("decision", "amounts", "to_buyer", "to_seller", "final"),
    [
        ("FULL_RELEASE", {}, "0.00", "100.00", "RELEASED"),
        ("FULL_REFUND", {}, "100.00", "0.00", "REFUNDED"),
        ("SPLIT", {"release_amount": "33.3333333", "refund_amount": "66.6666667"}, "66.6666667", "33.3333333", "SPLIT"),
        ("SPLIT", {"release_amount": "100.00", "refund_amount": "0.00"}, "0.00", "100.00", "SPLIT"),
    ],
)
async def test_a_dispute_is_resolved_to_the_last_stroop(
    market: Market, decision: str, amounts: dict[str, str], to_buyer: str, to_seller: str, final: str
) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    order = await market.funded(buyer, seller, "100.00")
    dispute = await market.make(
        f"/orders/{order}/resolution/dispute", {"opened_by": "BUYER", "reason": "NOT_DELIVERED", "description": "nothing came"}
    )
    frozen = await market.post(f"/orders/{order}/resolution/release")
    assert frozen.status_code == 409
    forbidden = await market.post(f"/disputes/{dispute['id']}/resolve", {"decision": "FULL_RELEASE"})
    assert (forbidden.status_code, forbidden.json()["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
    desk = market.support_key
    await market.make(f"/disputes/{dispute['id']}/comments", {"message": "looking into it"}, key=desk)
    assigned = await market.make(f"/disputes/{dispute['id']}/assign", {"assigned_to": "agent-7"}, key=desk)
    assert (assigned["status"], assigned["assigned_to"]) == ("UNDER_REVIEW", "agent-7")
    resolved = await market.make(f"/disputes/{dispute['id']}/resolve", {"decision": decision, **amounts}, key=desk)
    assert (resolved["status"], resolved["decision"]) == ("RESOLVED", decision)
    assert (await market.balance(buyer))[0] == to_buyer
    assert (await market.balance(seller))[0] == to_seller
    assert (await market.get(f"/orders/{order}")).json()["data"]["final_status"] == final


async def test_a_split_that_is_not_the_whole_is_refused(market: Market) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    order = await market.funded(buyer, seller, "100.00")
    dispute = await market.make(f"/orders/{order}/resolution/dispute", {"opened_by": "SELLER", "reason": "OTHER"})
    body = {"decision": "SPLIT", "release_amount": "50.00", "refund_amount": "49.9999999"}
    answer = await market.post(f"/disputes/{dispute['id']}/resolve", body, key=market.support_key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "INVALID_AMOUNT")
    assert await market.balance(buyer) == ("0.00", "100.00")


async def test_a_repeated_external_id_gives_back_the_user(market: Market) -> None:
    body = {"external_user_id": "the-same-one", "email": "ana@example.com"}
    first, again = await market.post("/users", body), await market.post("/users", body)
    assert again.status_code == 200
    assert first.json()["data"]["id"] == again.json()["data"]["id"]


async def test_lists_page_through_everything_once_newest_first(market: Market) -> None:
    buyer, seller = await market.user(), await market.user()
    made = [await market.order(buyer, seller) for _ in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": 3, "buyer_id": buyer} | ({"cursor": cursor} if cursor else {})
        page = (await market.get("/orders", params=query)).json()
        seen += [order["id"] for order in page["data"]]
        cursor = page["pagination"]["next_cursor"]
        if not page["pagination"]["has_more"]:
            break
    assert seen == made[::-1]


async def test_every_change_is_in_the_event_log_once_in_sequence(market: Market, database: asyncpg.Connection) -> None:
    buyer, seller = await market.user(credit="10.00"), await market.user()
    order = await market.funded(buyer, seller)
    await market.make(f"/orders/{order}/resolution/release")
    expected = await database.fetchval("SELECT sequence FROM escrow.orders WHERE id = $1", order)

    async def logged() -> bool:
        rows = await database.fetch(
            "SELECT sequence FROM webhooks.event_log WHERE aggregate = $1 ORDER BY position", f"order:{order}"
        )
        return [row[0] for row in rows] == list(range(1, expected + 1))

    await until(logged)
    await books_hold(database)


async def test_each_user_gets_a_deposit_wallet_whose_secret_is_nowhere_in_clear(
    market: Market, database: asyncpg.Connection
) -> None:
    user = await market.user()

    async def address() -> str | None:
        answer: httpx.Response = await market.get(f"/users/{user}/wallet/deposit")
        return answer.json()["data"]["address"] if answer.status_code == 200 else None

    found = await until(address)
    assert found.startswith("G")
    assert len(found) == 56
    rows = await database.fetch("SELECT * FROM payouts.wallets WHERE user_id = $1", user)
    assert len(rows) == 1
    assert not any(isinstance(value, str) and value.startswith("S") and len(value) == 56 for value in rows[0].values())
