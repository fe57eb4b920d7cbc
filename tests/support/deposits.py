"""Deposits on a sandbox chain: users whose wallets have an account there, and what the chain itself says they were sent."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from stellar_sdk import (
    Asset,
    BeginSponsoringFutureReserves,
    ChangeTrust,
    CreateAccount,
    EndSponsoringFutureReserves,
    Operation,
    Payment,
)

from libs.common.kernel.ids import new_id
from libs.common.kernel.money import UNIT
from libs.common.messaging.worker import Worker
from libs.common.settings import ServiceSettings
from services.payouts.app import build
from services.payouts.settings import PayoutsSettings
from tests.support.chain import address
from tests.support.horizon import Sandbox, sandbox
from tests.support.market import as_process
from tests.support.payouts import PAYOUTS, a_signer
from tests.support.withdrawals import Desk
from tests.support.workers import until

USDC = Asset("USDC", address("issuer"))
_MAKE = """
INSERT INTO payouts.wallets (tenant, id, user_id, public_key, provider, network, chain_state, sequence, created_at)
VALUES ($1, $2, $3, $4, 'stellar', 'testnet', 'READY', 1, now())
"""
_CREDITED = """
SELECT split_part(id, ':', 2), split_part(id, ':', 4), balance FROM ledger.accounts
 WHERE tenant = $1 AND purpose = 'available' AND balance > 0
"""


@dataclass
class Till:
    """A desk and the chain its users are paid on."""

    desk: Desk
    chain: Sandbox
    wallets: dict[str, str] = field(default_factory=dict)
    """The name of each user's key on the chain, by the user's id."""

    async def clear(self) -> None:
        """Forget what another test left in the database; its chain is gone."""
        await self.desk.owner.execute(
            "TRUNCATE payouts.scans, payouts.account_scans, payouts.deposits, payouts.tallies, payouts.sweeps"
        )
        await self.desk.owner.execute("DELETE FROM payouts.wallets")

    async def users(self, count: int = 1) -> list[str]:
        """Open users whose wallets are on the chain, hold no lumens and accept USDC; the ledger must run."""
        names = [new_id("key") for _ in range(count)]
        users = [await self.user_with_wallet(name) for name in names]
        for few in (names[place : place + 15] for place in range(0, count, 15)):
            await self.chain.apply(self.chain.build("sponsor", *opening(few), signers=["sponsor", *few]))
        return users

    async def user_with_wallet(self, name: str) -> str:
        """Open a user with a wallet of this name's key, which the chain does not know yet."""
        user_id = await self.desk.user()
        wallet_id = user_id.replace("usr_", "wal_")
        await self.desk.owner.execute(_MAKE, self.desk.tenant, wallet_id, user_id, address(name))
        self.wallets[user_id] = name
        return user_id

    def address(self, user_id: str) -> str:
        """Where a user is paid."""
        return address(self.wallets[user_id])

    async def memo(self, user_id: str) -> int:
        """The number that stands for a user."""
        query = "SELECT memo FROM payouts.wallets WHERE tenant = $1 AND user_id = $2"
        return int(await self.desk.owner.fetchval(query, self.desk.tenant, user_id))

    async def pay(self, *to: tuple[str, str], payer: str = "payer") -> None:
        """Send (user, amount of USDC), all in one transaction, and close its ledger."""
        await self.do(*(Payment(self.address(user_id), USDC, amount) for user_id, amount in to), payer=payer)

    async def do(self, *operations: Operation, payer: str = "payer", **terms: Any) -> None:
        """Have a transaction applied."""
        await self.chain.apply(self.chain.build(payer, *operations, **terms))

    @contextlib.asynccontextmanager
    async def payouts(self, *, idle_seconds: float = 0.02, **others: Any) -> AsyncIterator[Worker]:
        """Run one payouts process."""
        owner_url = self.desk.config.database_url
        async with a_signer(owner_url.get_secret_value()) as (signer, _):
            told = {"horizon_url": self.chain.url, "database_url": owner_url, "signer_socket": signer.signer_socket}
            values: dict[str, Any] = PAYOUTS | told | others
            service = build(PayoutsSettings(**values), idle_seconds=idle_seconds)
            async with as_process("payouts", service, self.desk.config) as worker:
                yield worker

    async def hurry(self) -> None:
        """Let nobody wait for a lease, for the relay's grace or for the sweeper's pause."""
        owner = self.desk.owner
        await owner.execute("UPDATE payouts.scans SET lease_until = now() - interval '1 second'")
        await owner.execute("UPDATE payouts.deposits SET pending_due = now() WHERE pending_due IS NOT NULL")
        for schema in ("payouts", "ledger"):
            await owner.execute(f"UPDATE {schema}.outbox SET publish_after = now()")

    async def is_caught_up(self, *, seconds: float = 60.0) -> None:
        """Wait until all there is on the chain has been looked through, and nothing awaits the ledger."""
        latest = self.chain.node.latest
        query = (
            "SELECT (SELECT ledger >= $1 FROM payouts.scans WHERE network = 'testnet')"
            " AND NOT EXISTS (SELECT 1 FROM payouts.deposits WHERE status = 'PENDING')"
        )

        async def it_is() -> Any:
            return await self.desk.owner.fetchval(query, latest)

        await until(it_is, seconds=seconds)

    async def credited(self) -> dict[tuple[str, str], int]:
        """What users have by the books, in stroops, by (user, currency)."""
        rows = await self.desk.owner.fetch(_CREDITED, self.desk.tenant)
        return {(row[0], row[1]): row[2] for row in rows}

    async def held(self) -> dict[tuple[str, str], int]:
        """What users' accounts hold by the chain's own account of it, in stroops, by (user, currency)."""
        accounts = (await self.chain.get("/sandbox/balances"))["accounts"]
        found = {
            (user_id, "XLM" if asset == "native" else "USD"): int(Decimal(amount) * UNIT)
            for user_id, name in self.wallets.items()
            for asset, amount in accounts.get(address(name), {}).items()
        }
        return {place: amount for place, amount in found.items() if amount}

    async def is_right(self) -> None:
        """Check that each user has in the books what the chain holds for them, to the stroop."""
        await self.is_caught_up()
        assert await self.credited() == await self.held()

    async def suspense(self) -> list[tuple[str, str, int]]:
        """What waits for a person: (reason, asset, amount in stroops)."""
        query = "SELECT reason, asset, amount FROM payouts.deposits WHERE status = 'SUSPENSE' ORDER BY operation_id"
        return [(row[0], row[1].split(":")[0], row[2]) for row in await self.desk.owner.fetch(query)]


def opening(names: Iterable[str]) -> list[Operation]:
    """Accounts without lumens that accept USDC, as the platform makes them: their reserves are the sponsor's."""
    steps: list[Operation] = []
    for name in names:
        steps += [
            BeginSponsoringFutureReserves(address(name), source=address("sponsor")),
            CreateAccount(address(name), "0", source=address("sponsor")),
            ChangeTrust(USDC, source=address(name)),
            EndSponsoringFutureReserves(source=address(name)),
        ]
    return steps


@contextlib.asynccontextmanager
async def till(state: Path, config: ServiceSettings, **chain: Any) -> AsyncIterator[Till]:
    """Open a till whose payer has a million USDC; the treasury accepts them too."""
    async with sandbox(state, **chain) as horizon, Desk.on(config) as desk:
        opened = Till(desk, horizon)
        await opened.clear()
        await horizon.accounts("issuer", "sponsor", "payer")
        treasury = horizon.build("sponsor", *opening(["treasury"]), signers=["sponsor", "treasury"])
        await horizon.apply(horizon.build("payer", ChangeTrust(USDC)), treasury)
        await horizon.apply(horizon.build("issuer", Payment(address("payer"), USDC, "1000000")))
        yield opened
