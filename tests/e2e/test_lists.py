"""Lists over HTTP: whole, in order, the caller's own, and bounded in time as the reference says."""

import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.e2e.market import Market
from tests.support.workers import until

pytestmark = pytest.mark.e2e


async def _pages(market: Market, path: str, limit: int, **others: Any) -> list[dict[str, Any]]:
    """Walk a list to its end."""
    items: list[dict[str, Any]] = []
    join = "&" if "?" in path else "?"
    cursor = ""
    for _ in range(100):
        answer = await market.get(f"{path}{join}limit={limit}{cursor}", **others)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["data"]
        if not page["pagination"]["has_more"]:
            assert page["pagination"]["next_cursor"] is None
            return items
        assert len(page["data"]) == limit
        cursor = f"&cursor={page['pagination']['next_cursor']}"
    message = f"{path} does not end"
    raise AssertionError(message)


async def test_every_list_read_by_threes_is_the_list_read_at_once(market: Market, stack: dict[str, str]) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    orders = [await market.funded(buyer, seller, "10.00") for _ in range(4)]
    disputes = [(await market.make(f"/orders/{order}/resolution/dispute"))["id"] for order in orders]
    hook = await market.make("/webhooks", {"url": "https://127.0.0.1:9/", "events": ["*"]})
    await market.order(buyer, seller)
    master = stack["OFFERHUB_MASTER_KEY"]

    async def it_was_told() -> bool:
        listed = await market.get(f"/webhooks/{hook['id']}/deliveries")
        return bool(listed.json()["data"])

    await until(it_was_told)
    for path in (
        f"/orders?user_id={buyer}",
        f"/orders?buyer_id={buyer}&seller_id={seller}&status=DISPUTED",
        f"/disputes?user_id={seller}",
        f"/users/{buyer}/ledger",
        f"/users/{buyer}/ledger?currency=USDC",
        "/users?type=BOTH&created_after=2026-01-01",
        "/auth/api-keys",
        "/webhooks",
    ):
        whole = await _pages(market, path, 100, key=master)
        assert await _pages(market, path, 3, key=master) == whole, path
        times = [item["created_at"] for item in whole]
        assert times == sorted(times, reverse=True), path
    assert [item["id"] for item in await _pages(market, f"/disputes?user_id={buyer}&status=open", 2)] == disputes[::-1]
    first = (await market.get("/events?limit=3")).json()
    assert [item["position"] for item in first["data"]] == [1, 2, 3]
    following = (await market.get(f"/events?limit=3&after={first['pagination']['next_cursor']}")).json()
    assert [item["position"] for item in following["data"]] == [4, 5, 6]
    await market.call("DELETE", f"/webhooks/{hook['id']}")


async def test_a_lists_bounds_in_time_include_the_first_instant_and_exclude_the_last(market: Market) -> None:
    buyer, seller = await market.user(), await market.user()
    order = (await market.get(f"/orders/{await market.order(buyer, seller)}")).json()["data"]
    made = order["created_at"]
    later = (datetime.fromisoformat(made) + timedelta(milliseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for bounds, is_there in (
        (f"created_after={made}", True),
        (f"created_before={made}", False),
        (f"created_after={later}", False),
        (f"created_before={later}", True),
        (f"created_after={made}&created_before={later}", True),
        (f"created_after={made[:10]}", True),
        (f"created_after={made}&status=CLOSED", False),
        (f"created_before={later}&status=ORDER_CREATED&seller_id={seller}", True),
    ):
        found = (await market.get(f"/orders?buyer_id={buyer}&{bounds}")).json()["data"]
        assert [item["id"] for item in found] == [order["id"]] * is_there, bounds


async def test_a_cursor_of_another_marketplace_says_no_more_than_one_that_never_was(
    market: Market, stack: dict[str, str]
) -> None:
    other = {"name": "other", "scopes": ["read", "write"], "marketplace": f"m{secrets.token_hex(4)}"}
    key = (await market.make("/auth/api-keys", other, key=stack["OFFERHUB_MASTER_KEY"]))["key"]
    buyer, seller = await market.user(credit="10.00"), await market.user()
    order_id = await market.funded(buyer, seller)
    dispute_id = (await market.make(f"/orders/{order_id}/resolution/dispute"))["id"]
    for path, cursor in (("/orders", order_id), ("/users", buyer), ("/disputes", dispute_id)):
        assert (await market.get(f"{path}?cursor={cursor}")).status_code == 200
        refusals = []
        for name in (cursor, f"{cursor[:4]}01nowhere"):
            answer = await market.get(f"{path}?cursor={name}", key=key)
            error = answer.json()["error"]
            refusals.append((answer.status_code, error["code"], error["message"], error["details"]))
        assert refusals[0] == refusals[1]
        assert refusals[0][:2] == (400, "VALIDATION_ERROR")
        assert refusals[0][3]["fields"][0]["field"] == "cursor"
