"""What must be there before a snippet can run: each scene plays it over the API and tells what to call it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import httpx
from stellar_sdk import Account, Asset, ChangeTrust, Keypair, TransactionBuilder

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


async def withdrawing(market: Market) -> dict[str, str]:
    """Somebody with 100.00, and an address to send it to: whoever issued the dollars takes any amount."""
    names = await met(market)
    await market.credit(names["buyer"], "100.00")
    return {**names, "address": await _issuer(market, names["seller"])}


async def withdrawn(market: Market) -> Names:
    """The same, who has sent 50.00 of it."""
    names = await withdrawing(market)
    return {**names, "withdrawal": await _send(market, names)}


async def arrived(market: Market) -> Names:
    """The same, and the 50.00 are there."""
    names = await withdrawn(market)
    await _ends(market, names, "COMPLETED")
    return names


async def returned(market: Market) -> Names:
    """The same, and the 50.00 came back: the recipient's trustline went while they were on their way."""
    names = await withdrawing(market)
    dollar = Asset("USDC", names["address"])
    async with httpx.AsyncClient(base_url=market.horizon_url, timeout=30) as chain:
        made = (await chain.post("/sandbox/accounts", json={"trusts": [f"USDC:{dollar.issuer}"]})).json()
        match = {"path": "/transactions_async", "account": made["address"]}
        rule = (await chain.post("/sandbox/faults", json={"fault": "try_again_later", "match": match})).json()["name"]
        names = {**names, "address": made["address"]}
        names["withdrawal"] = await _send(market, names)
        removed = await chain.post("/transactions", data={"tx": await _no_more(chain, made["secret"], dollar)})
        assert removed.is_success, removed.text
        await chain.delete(f"/sandbox/faults/{rule}")
    await _ends(market, names, "FAILED")
    return names


async def _no_more(chain: httpx.AsyncClient, secret: str, dollar: Asset) -> str:
    """Write the transaction in which somebody stops accepting dollars."""
    passphrase = (await chain.get("/")).json()["network_passphrase"]
    keys = Keypair.from_secret(secret)
    sequence = int((await chain.get(f"/accounts/{keys.public_key}")).json()["sequence"])
    builder = TransactionBuilder(Account(keys.public_key, sequence), passphrase, 100).add_time_bounds(0, 0)
    envelope = builder.append_operation(ChangeTrust(dollar, limit="0")).build()
    envelope.sign(keys)
    return envelope.to_xdr()


async def _ends(market: Market, names: Names, status: str) -> None:
    async def has_ended() -> bool:
        shown = (await market.get(f"/withdrawals/{names['withdrawal']}")).json()["data"]
        return bool(shown["status"] == status)

    await until(has_ended)


async def _send(market: Market, names: Names) -> str:
    destination = {"type": "stellar", "address": names["address"]}
    answer = await market.post("/withdrawals", {"user_id": names["buyer"], "amount": "50.00", "destination": destination})
    if not answer.is_success:
        raise Mismatch(f"nothing can be withdrawn: {answer.text}")
    return str(answer.json()["data"]["id"])


async def _issuer(market: Market, user_id: str) -> str:
    async def told() -> str | None:
        answer = await market.get(f"/users/{user_id}/wallet/deposit")
        return answer.json()["data"]["asset_issuer"] if answer.is_success else None

    return str(await until(told))
