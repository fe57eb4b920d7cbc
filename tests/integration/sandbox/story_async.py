"""A payment's story by the Python library's own asynchronous client. It patches aiohttp, so it runs in a process of its own.

Usage: story_async.py URL PASSPHRASE; prints what it saw as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from stellar_sdk import Asset, Keypair, TransactionBuilder
from stellar_sdk.client.aiohttp_client import AiohttpClient
from stellar_sdk.exceptions import BadRequestError, NotFoundError
from stellar_sdk.server_async import ServerAsync


async def play(url: str, passphrase: str) -> dict[str, Any]:
    """Two accounts, a dollar between them, a stream that sees it, and three ways of being refused."""
    issuer, holder = Keypair.random(), Keypair.random()
    dollar = Asset("USD", issuer.public_key)
    seen: dict[str, Any] = {}
    async with AiohttpClient() as client, ServerAsync(url, client) as server:
        for each in (issuer, holder):
            await client.get(f"{url}/friendbot", {"addr": each.public_key})

        async def send(source: Keypair, *, is_async: bool = False, **operation: Any) -> Any:
            account = await server.load_account(source.public_key)
            builder = TransactionBuilder(account, passphrase, await server.fetch_base_fee()).set_timeout(60)
            ((name, given),) = operation.items()
            envelope = getattr(builder, f"append_{name}_op")(**given).build()
            envelope.sign(source)
            return await (server.submit_transaction_async(envelope) if is_async else server.submit_transaction(envelope))

        await send(holder, change_trust={"asset": dollar})
        paid = await send(issuer, payment={"destination": holder.public_key, "asset": dollar, "amount": "12.5"})
        seen["successful"] = paid["successful"]
        account = await server.accounts().account_id(holder.public_key).call()
        seen["balance"] = next(each["balance"] for each in account["balances"] if each.get("asset_code") == "USD")
        async for payment in server.payments().for_account(holder.public_key).cursor("0").stream():
            if payment["type"] == "payment":
                seen["streamed"] = payment["transaction_hash"] == paid["hash"]
                break
        pending = await send(holder, is_async=True, payment={"destination": issuer.public_key, "asset": dollar, "amount": "1"})
        seen["status"] = pending["tx_status"]
        try:
            await send(issuer, payment={"destination": Keypair.random().public_key, "asset": dollar, "amount": "1"})
        except BadRequestError as error:
            seen["codes"] = (error.extras or {})["result_codes"]
        try:
            await server.load_account(Keypair.random().public_key)
        except NotFoundError as error:
            seen["missing"] = error.status
        seen["records"] = len(
            (await server.transactions().for_account(holder.public_key).limit(200).call())["_embedded"]["records"]
        )
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(*sys.argv[1:3]))))
