"""What subscribers are told is what the document says they are told: every event of a few stories against its schema."""

import pytest

from tests.e2e.market import Market
from tests.support.api_document import JSON, api_document, validator

pytestmark = pytest.mark.e2e


async def test_every_event_of_a_sale_a_dispute_and_a_suspension_is_as_described(market: Market) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    milestones = [{"ref": "all", "title": "All", "amount": "10.00"}]
    order = await market.funded(buyer, seller, milestones=milestones)
    await market.make(f"/orders/{order}/milestones/all/complete")
    await market.make(f"/orders/{order}/resolution/release", {"reason": "Fine"})
    contested = await market.funded(buyer, seller)
    dispute = (await market.make(f"/orders/{contested}/resolution/dispute", {"reason": "OTHER"}))["id"]
    await market.make(f"/disputes/{dispute}/comments", {"message": "Why?", "user_id": seller}, key=market.support_key)
    await market.make(f"/disputes/{dispute}/assign", {"assigned_to": "agent"}, key=market.support_key)
    parts = {"decision": "SPLIT", "release_amount": "4.00", "refund_amount": "6.00"}
    await market.make(f"/disputes/{dispute}/resolve", parts, key=market.support_key)
    canceled = await market.order(buyer, seller)
    await market.make(f"/orders/{canceled}/reserve")
    await market.make(f"/orders/{canceled}/cancel", {"reason": "No"})
    await market.call("PATCH", f"/users/{seller}", {"status": "SUSPENDED", "reason": "Test"}, key=market.support_key)
    told = await heard(market, {buyer, seller, order, contested, canceled})
    assert {
        "order.closed",
        "escrow.milestone_completed",
        "dispute.resolved",
        "user.suspended",
        "balance.released",
    } - told == set()


async def heard(market: Market, ours: set[str]) -> set[str]:
    """Read the log until it tells of the suspension, and compare each event about these with its schema; return their types."""
    types: set[str] = set()
    after = 0
    while "user.suspended" not in types:
        page = (await market.get(f"/events?limit=100&after={after}")).json()
        for event in page["data"]:
            after = event.pop("position")
            if ours & {str(value) for value in event["data"].values()}:
                schema = api_document()["webhooks"][event["type"]]["post"]["requestBody"]["content"][JSON]["schema"]
                validator(schema).validate(event)
                types.add(event["type"])
    return types
