"""What must be there before a snippet can run: each scene plays it over the API and tells what to call it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from stellar_sdk import Keypair

from tests.e2e.market import Market
from tests.support.client_docs.compare import Mismatch
from tests.support.workers import until

Names = Mapping[str, str]
Scene = Callable[[Market], Awaitable[Names]]


async def nothing(_: Market) -> Names:
    """An empty marketplace."""
    return {}


async def met(market: Market) -> Names:
    """A buyer and a seller."""
    return {"buyer": await market.user(), "seller": await market.user()}


async def ordered(market: Market) -> Names:
    """An order of 100.00."""
    names = await met(market)
    return {**names, "order": await market.order(names["buyer"], names["seller"], "100.00")}


async def too_dear(market: Market) -> Names:
    """An order of 100.00, and 50.00 to pay it with."""
    names = await ordered(market)
    await market.credit(names["buyer"], "50.00")
    return names


async def listed(market: Market) -> Names:
    """More orders than one; `order` is the newest."""
    names = await met(market)
    made = [await market.order(names["buyer"], names["seller"]) for _ in range(3)]
    return {**names, "order": made[-1]}


async def paged(market: Market) -> Names:
    """More orders than fit on a page; `cursor` is the newest, `order` the last on the page behind it."""
    names = await met(market)
    await asyncio.gather(*(market.order(names["buyer"], names["seller"]) for _ in range(22)))
    orders = [order["id"] for order in (await market.get("/orders", params={"limit": 100})).json()["data"]]
    return {**names, "cursor": orders[0], "order": orders[20]}


async def reserved(market: Market) -> Names:
    """An order of 2500.00 whose money is reserved."""
    names = await met(market)
    await market.credit(names["buyer"], "2500.00")
    order = await market.order(names["buyer"], names["seller"], "2500.00")
    await market.make(f"/orders/{order}/reserve")
    return {**names, "order": order}


async def funded(market: Market) -> Names:
    """An order of 2500.00 in escrow."""
    names = await met(market)
    await market.credit(names["buyer"], "2500.00")
    return {**names, "order": await market.funded(names["buyer"], names["seller"], "2500.00")}


async def holding(market: Market) -> Names:
    """A buyer with 1250.00 USD and 200.00 more in escrow, and 5000.00 XLM."""
    names = await met(market)
    await market.credit(names["buyer"], "1450.00")
    lumens = {"amount": "5000.00", "currency": "XLM", "reference": "lumens"}
    await market.make(f"/users/{names['buyer']}/balance/credit", lumens, key=market.support_key)
    await market.funded(names["buyer"], names["seller"], "200.00")
    return names


async def withdrawing(market: Market) -> Names:
    """Somebody with 100.00, and an address to send it to."""
    names = await met(market)
    await market.credit(names["buyer"], "100.00")
    return {**names, "address": await _address(market, names["seller"])}


async def withdrawn(market: Market) -> Names:
    """The same, who has sent 50.00 of it."""
    names = await withdrawing(market)
    return {**names, "withdrawal": await _send(market, names)}


async def arrived(market: Market) -> Names:
    """The same, and the 50.00 are there: they went back to whoever issued them, who takes any amount."""
    names = await withdrawing(market)
    issuer = await _address(market, names["seller"], "asset_issuer")
    return await _ended(market, {**names, "address": issuer}, "COMPLETED")


async def returned(market: Market) -> Names:
    """The same, and the 50.00 came back: nobody has an account where they were to go."""
    names = await withdrawing(market)
    return await _ended(market, {**names, "address": Keypair.random().public_key}, "FAILED")


async def _ended(market: Market, names: dict[str, str], status: str) -> Names:
    names["withdrawal"] = await _send(market, names)

    async def has_ended() -> bool:
        shown = (await market.get(f"/withdrawals/{names['withdrawal']}")).json()["data"]
        return bool(shown["status"] == status)

    await until(has_ended)
    return names


async def _send(market: Market, names: Names) -> str:
    destination = {"type": "stellar", "address": names["address"]}
    answer = await market.post("/withdrawals", {"user_id": names["buyer"], "amount": "50.00", "destination": destination})
    if not answer.is_success:
        raise Mismatch(f"nothing can be withdrawn: {answer.text}")
    return str(answer.json()["data"]["id"])


async def _address(market: Market, user_id: str, field: str = "address") -> str:
    async def told() -> str | None:
        answer = await market.get(f"/users/{user_id}/wallet/deposit")
        return answer.json()["data"][field] if answer.is_success else None

    return str(await until(told))
