"""A sandbox Horizon in the test's own process, whose ledgers the test closes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web
from stellar_sdk import Account, Operation, TransactionBuilder, TransactionEnvelope

from deploy.sandbox.horizon.app import build
from deploy.sandbox.horizon.node import Node, running
from deploy.sandbox.horizon.settings import Settings
from tests.support.chain import PASSPHRASE, address, key


@dataclass
class Sandbox:
    """The server, its chain, and a client."""

    node: Node
    url: str
    http: httpx.AsyncClient

    @property
    def here(self) -> int:
        """A cursor behind everything that has happened."""
        return self.node.latest << 32 | 0xFFFF_FFFF

    async def get(self, path: str, **query: object) -> Any:
        """Get what must be there."""
        answer = await self.http.get(path, params={name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def records(self, path: str, **query: object) -> list[Any]:
        """Get a page's records."""
        page = await self.get(path, **query)
        found: list[Any] = page["_embedded"]["records"]
        return found

    async def accounts(self, *names: str) -> None:
        """Have Friendbot make accounts, by names."""
        asked = [asyncio.create_task(self.http.get("/friendbot", params={"addr": address(name)})) for name in names]
        while not all(each.done() for each in asked):
            if len(self.node.chain.queue):
                await self.node.close()
            await asyncio.sleep(0)
        assert [each.result().status_code for each in asked] == [200] * len(names)

    def build(
        self,
        source: str,
        *operations: Operation,
        signers: Iterable[str] | None = None,
        sequence: int | None = None,
        fee: int = 100,
        memo: tuple[str, Any] | None = None,
    ) -> TransactionEnvelope:
        """Build and sign a transaction of somebody's next sequence number; `memo` is a method of the builder and its argument."""
        known = self.node.view().account(address(source))
        before = sequence - 1 if sequence is not None else 0 if known is None else known.sequence
        builder = TransactionBuilder(Account(address(source), before), PASSPHRASE, fee).add_time_bounds(0, 0)
        for operation in operations:
            builder.append_operation(operation)
        if memo is not None:
            getattr(builder, memo[0])(memo[1])
        envelope = builder.build()
        for signer in signers if signers is not None else [source]:
            envelope.sign(key(signer))
        return envelope

    async def submit(self, envelope: Any) -> httpx.Response:
        """Submit without waiting for a ledger."""
        return await self.http.post("/transactions_async", data={"tx": envelope.to_xdr()})

    async def apply(self, *envelopes: Any) -> list[Any]:
        """Submit, close a ledger, and return the transactions as they are in it."""
        for envelope in envelopes:
            answer = await self.submit(envelope)
            assert answer.status_code == 201, answer.text
        await self.node.close()
        return [await self.get(f"/transactions/{envelope.hash_hex()}") for envelope in envelopes]

    async def fault(self, fault: str, **rule: Any) -> str:
        """Make something go wrong."""
        answer = await self.http.post("/sandbox/faults", json={"fault": fault, **rule})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["name"])

    async def fired(self, name: str) -> int:
        """How often a rule fired."""
        rules = (await self.get("/sandbox/faults"))["rules"]
        return next(int(rule["fired"]) for rule in rules if rule["name"] == name)


@asynccontextmanager
async def sandbox(state: Path, **settings: Any) -> AsyncIterator[Sandbox]:
    """Serve a chain for the length of a block; ledgers close on demand unless `close_ms` says otherwise."""
    chosen: dict[str, Any] = {"passphrase": PASSPHRASE, "close_ms": 0, "submit_timeout_ms": 5_000} | settings
    async with running(Settings(state, **chosen)) as node:
        runner = web.AppRunner(build(node), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        url = f"http://{host}:{port}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=20) as http:
                yield Sandbox(node, url, http)
        finally:
            await runner.cleanup()
