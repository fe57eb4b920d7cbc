"""Withdrawals on a sandbox chain: a treasury, channels, people who hold USDC, and what the chain itself says was paid."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
from stellar_sdk import Asset, ChangeTrust, CreateAccount, FeeBumpTransactionEnvelope, Payment, TransactionEnvelope

from libs.common.kernel.clock import Clock
from libs.common.kernel.money import UNIT
from libs.common.messaging.worker import Worker
from libs.common.settings import ServiceSettings
from services.payouts.app import build
from services.payouts.clients.own_keys import OwnKeys
from services.payouts.clients.signer import SignerClient, SignerRefusedError, SignerUnavailableError
from services.payouts.domain.signing import Accounts, SignKind
from services.payouts.settings import PayoutsSettings
from tests.support.chain import PASSPHRASE, address, key
from tests.support.horizon import Sandbox, sandbox
from tests.support.market import as_process
from tests.support.payouts import PAYOUTS, WALLET_KEYS, a_signer
from tests.support.withdrawals import Desk
from tests.support.workers import until

PEOPLE = ("ana", "ben", "cleo")
USDC = Asset("USDC", address("issuer"))


@dataclass
class WatchedSigner:
    """The signer, which can be away, and whose signatures are all kept in mind."""

    is_away: bool = False
    socket: str = ""
    signed: list[str] = field(default_factory=list)
    """Every envelope that ever got a signature, in base 64."""
    refused: list[str] = field(default_factory=list)
    """What the signer would not sign, by its reasons."""

    async def sign(self, kind: SignKind, intent_id: str, envelope_xdr: str) -> str:
        if self.is_away:
            raise SignerUnavailableError("away")
        try:
            signed = await SignerClient(self.socket).sign(kind, intent_id, envelope_xdr)
        except SignerRefusedError as error:
            self.refused.append(str(error))
            raise
        self.signed.append(signed)
        return signed

    async def accounts(self) -> Accounts:
        return await SignerClient(self.socket).accounts()


def read_envelope(text: str) -> TransactionEnvelope | FeeBumpTransactionEnvelope:
    if FeeBumpTransactionEnvelope.is_fee_bump_transaction_envelope(text):
        return FeeBumpTransactionEnvelope.from_xdr(text, PASSPHRASE)
    return TransactionEnvelope.from_xdr(text, PASSPHRASE)


@dataclass
class Bank:
    """A desk, its chain and its signer."""

    desk: Desk
    chain: Sandbox
    channels: tuple[str, ...]
    """Their addresses."""
    signer: WatchedSigner = field(default_factory=WatchedSigner)
    before: Counter[str] = field(default_factory=Counter)
    """What people had been paid when it was last checked."""

    async def clear(self) -> None:
        """Forget what another test left in the database; its chain is gone."""
        owner: asyncpg.Connection = self.desk.owner
        await owner.execute("TRUNCATE payouts.envelopes, payouts.slot_items, payouts.slots, payouts.channels")
        await owner.execute(
            "TRUNCATE payouts.scans, payouts.account_scans, payouts.sweeps, payouts.sweep_rounds, payouts.tallies"
        )
        await owner.execute("DELETE FROM payouts.deposits")
        await owner.execute("UPDATE payouts.withdrawals SET waiting_from = NULL")
        await owner.execute("UPDATE payouts.creations SET state = 'done'")
        await owner.execute("UPDATE payouts.wallets SET chain_state = 'READY'")
        await owner.execute("DELETE FROM payouts.asset_pauses")

    @contextlib.asynccontextmanager
    async def payouts(
        self, *, idle_seconds: float = 0.02, clock: Clock | None = None, wallet_keys: str = WALLET_KEYS, **others: Any
    ) -> AsyncIterator[Worker]:
        """Run one payouts process that pays, and its signer."""
        owner_url = self.desk.config.database_url
        async with a_signer(owner_url.get_secret_value(), channels=len(self.channels), wallet_keys=wallet_keys) as (signer, _):
            self.signer.socket = signer.signer_socket
            told = {"horizon_url": self.chain.url, "database_url": owner_url, "signer_socket": signer.signer_socket}
            values: dict[str, Any] = PAYOUTS | told | others
            service = build(PayoutsSettings(**values), self.signer, idle_seconds=idle_seconds)
            service = replace(service, clock=clock or service.clock)
            async with as_process("payouts", service, self.desk.config) as worker:
                yield worker

    @contextlib.asynccontextmanager
    async def ticking(self, seconds: float = 0.04) -> AsyncIterator[None]:
        """Close ledgers for the length of a block; the last of them is closed to its end, so that others can follow it."""
        is_over = False

        async def tick() -> None:
            while not is_over:
                await self.chain.node.close()
                await asyncio.sleep(seconds)

        task = asyncio.create_task(tick())
        try:
            yield
        finally:
            is_over = True
            await task

    async def withdraw_all(self, *people: str, units: int = 5) -> dict[str, str]:
        """Have new users withdraw to these people; return each one's withdrawal."""
        users = [await self.desk.user(balance=units) for _ in people]
        pairs = zip(users, people, strict=True)
        made = await asyncio.gather(*(self.desk.withdraw(user, units, address=address(name)) for user, name in pairs))
        return dict(zip(people, made, strict=True))

    async def all_are(self, withdrawals: dict[str, str], *statuses: str, seconds: float = 60.0) -> None:
        """Wait until every withdrawal is in one of these statuses."""

        async def they_are() -> bool:
            return all([await self.desk.status(each) in statuses for each in withdrawals.values()])

        await until(they_are, seconds=seconds)

    async def hurry(self) -> None:
        """Let nobody wait for a lease, for the relay's grace or for the sweeper's pause."""
        owner: asyncpg.Connection = self.desk.owner
        for table in ("channels", "scans"):
            await owner.execute(f"UPDATE payouts.{table} SET lease_until = now() - interval '1 second'")
        await owner.execute("UPDATE payouts.withdrawals SET pending_due = now() WHERE pending_due IS NOT NULL")
        await owner.execute("UPDATE payouts.withdrawals SET waiting_from = now() WHERE waiting_from IS NOT NULL")
        for schema in ("payouts", "ledger"):
            await owner.execute(f"UPDATE {schema}.outbox SET publish_after = now()")

    async def transactions(self) -> list[dict[str, Any]]:
        """Every transaction of the chain's channels, as it really is."""
        return await self.transactions_of(*self.channels)

    async def transactions_of(self, *accounts: str) -> list[dict[str, Any]]:
        """Every transaction of these accounts, as it really is."""
        text = (await self.chain.http.get("/sandbox/transactions")).text
        return [each for each in map(json.loads, text.splitlines()) if each["source_account"] in accounts]

    async def paid(self) -> Counter[str]:
        """How much USDC each person was paid by the treasury, in whole units, by the chain's own balances."""
        found = (await self.chain.get("/sandbox/balances"))["accounts"]
        return Counter({name: units_of(found[address(name)]) for name in PEOPLE if address(name) in found})

    async def is_right(self, withdrawals: dict[str, str], *, units: int = 5, unpaid: tuple[str, ...] = ()) -> None:
        """Check that each was paid exactly once, or exactly once returned, and that the books say the same as the chain."""
        paid = await self.paid()
        told = {name: paid[name] - self.before[name] for name in withdrawals}
        assert told == {name: 0 if name in unpaid else units for name in withdrawals}
        self.before = paid
        query = "SELECT coalesce(sum(balance), 0) FROM ledger.accounts WHERE tenant = $1 AND id = 'external:stellar:USD'"
        assert await self.desk.owner.fetchval(query, self.desk.tenant) == sum(paid.values()) * UNIT
        for name, each in withdrawals.items():
            kinds = ["return" if name in unpaid else "settle", "withdraw"]
            assert await self.desk.journals(each) == kinds, name
        for text in self.signer.signed:
            assert self._slot_of(text) is not None

    def _slot_of(self, text: str) -> tuple[str, int]:
        envelope = read_envelope(text)
        inner = envelope.transaction.inner_transaction_envelope if isinstance(envelope, FeeBumpTransactionEnvelope) else envelope
        return inner.transaction.source.account_id, inner.transaction.sequence


def units_of(held: dict[str, str]) -> int:
    """The whole units of USDC in an account of the oracle."""
    return next((int(Decimal(amount)) for name, amount in held.items() if name.startswith("USDC:")), 0)


@contextlib.asynccontextmanager
async def bank(state: Path, config: ServiceSettings, *, channels: int = 1, lumens: str = "5") -> AsyncIterator[Bank]:
    """Open a bank whose treasury holds 10,000 USDC, and each channel some lumens; Ana and Ben and Cleo exist, and accept USDC."""
    own = OwnKeys.derive(sponsor=key("sponsor").secret, treasury=key("treasury").secret, channels=channels, passphrase=PASSPHRASE)
    async with sandbox(state) as chain, Desk.on(config) as desk:
        await chain.accounts("issuer", "treasury", "sponsor", *PEOPLE)
        for channel in own.accounts.channels:
            await chain.apply(chain.build("sponsor", CreateAccount(channel, lumens)))
        holders = ("treasury", *PEOPLE)
        await chain.apply(*(chain.build(name, ChangeTrust(USDC)) for name in holders))
        await chain.apply(chain.build("issuer", Payment(address("treasury"), USDC, "10000")))
        yield Bank(desk, chain, own.accounts.channels)
