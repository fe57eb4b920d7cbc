"""The sandbox network: other people's hands on it, and its own account of what was paid."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from stellar_sdk import (
    Account,
    AccountMerge,
    Asset,
    ChangeTrust,
    FeeBumpTransaction,
    Keypair,
    Operation,
    Payment,
    TransactionBuilder,
)
from stellar_sdk.exceptions import SdkError
from stellar_sdk.helpers import parse_transaction_envelope_from_xdr

from deploy.local.sandbox import PASSPHRASE
from libs.common.kernel.money import UNIT

_PAUSE_SECONDS: Final = 0.2
_TROUBLE: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError)


@dataclass(frozen=True)
class Paid:
    """A payment that a ledger has."""

    source: str
    to: str
    currency: str
    amount: int
    ledger: int
    transaction: str


@dataclass(frozen=True)
class Taken:
    """A sequence number that a transaction took, whether it succeeded or not."""

    source: str
    sequence: int
    transaction: str


@dataclass(frozen=True)
class Stranger:
    """Somebody else's account."""

    address: str
    secret: str


@dataclass
class Network:
    """The sandbox; whatever fails because it was killed is tried again, or let be."""

    session: aiohttp.ClientSession
    url: str
    dollar: str
    """`USDC:` and its issuer."""
    issuer_secret: str

    async def somebody(self, *, trusts: bool = True) -> Stranger:
        """Make an account somewhere else."""
        made = await self._insist("/sandbox/accounts", {"trusts": [self.dollar] if trusts else []})
        return Stranger(made["address"], made["secret"])

    async def pay_in(self, address: str, currency: str, amount: str) -> None:
        """Pay to an account, as soon as it is there; when the sandbox dies meanwhile it may be paid twice."""
        asset = "native" if currency == "XLM" else self.dollar
        await self._insist("/sandbox/payments", {"secret": self.issuer_secret, "to": address, "asset": asset, "amount": amount})

    async def do(self, account: Stranger, *operations: Operation) -> None:
        """Have somebody do something, if it can be done."""
        try:
            shown = await self._get(f"/accounts/{account.address}")
            builder = TransactionBuilder(Account(account.address, int(shown["sequence"])), PASSPHRASE, 100_000)
            for operation in operations:
                builder.append_operation(operation)
            envelope = builder.add_time_bounds(0, 0).build()
            envelope.sign(Keypair.from_secret(account.secret))
            async with self.session.post(f"{self.url}/transactions_async", data={"tx": envelope.to_xdr()}):
                pass
        except (*_TROUBLE, SdkError):
            return

    def leaving(self, heir: str) -> Sequence[Operation]:
        """Close one's account: the line first, then all of it."""
        return (self.no_trust(), AccountMerge(heir))

    def no_trust(self) -> Operation:
        """Give the line up."""
        return ChangeTrust(Asset(*self.dollar.split(":")), "0")

    async def balances(self) -> dict[str, dict[str, int]]:
        """Tell what everybody holds, in stroops, by currency."""
        shown = (await self._get("/sandbox/balances"))["accounts"]
        names = {"native": "XLM", self.dollar: "USD"}
        return {
            account: {names[asset]: _stroops(text) for asset, text in held.items() if asset in names}
            for account, held in shown.items()
        }

    async def sequence(self, account: str) -> int:
        """Tell an account's sequence number."""
        return int((await self._get(f"/accounts/{account}"))["sequence"])

    async def tip(self) -> tuple[int, int]:
        """Tell the newest ledger, and when it closed by the network's own clock."""
        shown = await self._get("/sandbox/network")
        return int(shown["latest_ledger"]), int(shown["now"])

    async def all(self) -> tuple[list[Paid], list[Taken]]:
        """Read every transaction there is."""
        async with self.session.get(f"{self.url}/sandbox/transactions") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        paid: list[Paid] = []
        taken = [Taken(each["source_account"], int(each["source_account_sequence"]), each["hash"]) for each in lines]
        for each in lines:
            if each["successful"]:
                paid += self._payments(each)
        return paid, taken

    def _payments(self, shown: dict[str, Any]) -> list[Paid]:
        read = parse_transaction_envelope_from_xdr(shown["envelope_xdr"], PASSPHRASE)
        outer = read.transaction
        inner = outer.inner_transaction_envelope.transaction if isinstance(outer, FeeBumpTransaction) else outer
        return [
            Paid(
                source=(operation.source or inner.source).account_id,
                to=operation.destination.account_id,
                currency="XLM" if operation.asset.is_native() else "USD",
                amount=_stroops(operation.amount),
                ledger=int(shown["ledger"]),
                transaction=shown["hash"],
            )
            for operation in inner.operations
            if isinstance(operation, Payment)
        ]

    async def _insist(self, path: str, body: dict[str, Any]) -> Any:
        while True:
            try:
                async with self.session.post(f"{self.url}{path}", json=body) as answer:
                    if answer.ok:
                        return await answer.json()
            except _TROUBLE:
                pass
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _get(self, path: str) -> Any:
        async with self.session.get(f"{self.url}{path}") as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)


def _stroops(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * UNIT + int(part.ljust(7, "0") or 0)
