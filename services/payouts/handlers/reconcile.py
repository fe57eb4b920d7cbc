"""Compares what our accounts hold on the chain with what the books say came in and went out, to the stroop.

The two never stand still together, so it compares when nothing is on its way between them, and makes sure afterwards that
nothing came in between: then any difference is real.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import asyncpg
import msgspec
import structlog

from libs.common.contracts.accounts import EXTERNAL_STELLAR
from libs.common.contracts.queries.ledger import GetExternalBalance
from libs.common.contracts.replies.ledger import ExternalBalance
from libs.common.kernel.clock import Clock
from libs.common.kernel.errors import TransientError
from libs.common.kernel.money import CURRENCIES
from libs.common.messaging.rpc import RpcClient
from services.payouts.clients.holdings import Holdings
from services.payouts.domain.deposits import Ours
from services.payouts.store import account_scans, tallies
from services.payouts.store.tallies import Tally

_balance: Final = msgspec.json.Decoder(ExternalBalance)
_log = structlog.get_logger("offerhub.reconciliation")


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Makes one comparison at a time."""

    pool: asyncpg.Pool
    rpc: RpcClient
    holdings: Holdings
    ours: Ours
    sponsor: str
    clock: Clock
    by_account: bool = False
    """Deposits are looked for account by account."""

    async def compare(self) -> list[Tally]:
        """Compare and keep what came of it; nothing when something was on its way.

        Raises:
            TransientError: Horizon or the ledger does not answer.
        """
        network = self.ours.network
        before = await tallies.standing(self.pool, network)
        if before.ledger is None or before.moving:
            return []
        accounts = await tallies.accounts(self.pool, network) | {self.ours.treasury}
        unbooked = await tallies.unbooked(self.pool, network)
        booked = await self._booked()
        found = await self.holdings.of(self.sponsor, accounts)
        after = await tallies.standing(self.pool, network)
        if after[1:] != before[1:] or after.ledger is None:
            return []
        looked = await account_scans.ledgers(self.pool, network) if self.by_account else {}
        otherwise = 0 if self.by_account else after.ledger
        if any(each.modified > looked.get(each.account, otherwise) for each in found):
            return []
        held: Counter[str] = Counter()
        for each in found:
            held.update(each.amounts)
        now = self.clock.now()
        ledger = max((after.ledger, *looked.values()))
        told = [Tally(name, ledger, held[name], booked[name], unbooked.get(name, 0), now) for name in CURRENCIES]
        await tallies.save(self.pool, network, told)
        for tally in told:
            if tally.difference:
                _log.error("reconciliation.difference", **tally._asdict(), difference=tally.difference)
        return told

    async def _booked(self) -> Counter[str]:
        booked: Counter[str] = Counter()
        for tenant in await tallies.tenants(self.pool):
            reply = await self.rpc.query("ledger", GetExternalBalance(EXTERNAL_STELLAR), tenant=tenant)
            if reply.refusal is not None:
                raise TransientError(f"the ledger does not say: {reply.refusal.code}")
            for line in _balance.decode(reply.result).lines:
                booked[line.currency] -= line.balance
        return booked
