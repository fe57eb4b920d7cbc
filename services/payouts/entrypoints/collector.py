"""Has users' accounts swept to the treasury, once in a while and as far as they hold enough, until cancelled."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from prometheus_client import Gauge

from libs.common.kernel.errors import TransientError
from services.payouts.clients.history import PAGE
from services.payouts.clients.holdings import Holding, Holdings
from services.payouts.clients.horizon import Tip
from services.payouts.clients.signer import SignerRefusedError
from services.payouts.domain.sweeps import AT_ONCE, Sweep
from services.payouts.entrypoints.payer import TROUBLE
from services.payouts.handlers.sweep_accounts import SweepAccounts

OPEN = Gauge("offerhub_sweeps_open", "Users' accounts on whose way to the treasury something is")
_log = structlog.get_logger("offerhub.sweeps")


@dataclass(slots=True)
class Round:
    """Goes through all accounts of which the sponsor pays reserves, once an interval."""

    accounts: SweepAccounts
    holdings: Holdings
    interval: timedelta
    after: str | None = None
    """Behind which account the next page begins; None between rounds."""
    waiting: list[Holding] = field(default_factory=list)
    rested: int = 0
    """The ledger in which everything that is open was driven."""

    async def turn(self) -> None:
        """Drive what is open, once a ledger, and open as many more as may be under way.

        Raises:
            TransientError: Horizon does not answer, or not for this network.
        """
        under_way = await self.accounts.sweeps.open()
        OPEN.set(len(under_way))
        room = AT_ONCE - len(under_way)
        await self._read(room)
        if not under_way and not self.waiting:
            return
        horizon = self.accounts.horizon
        if await horizon.passphrase() != self.accounts.network.passphrase:
            raise TransientError("Horizon serves another network")
        tip = await horizon.tip()
        if room > 0 and self.waiting:
            some, self.waiting = self.waiting[:room], self.waiting[room:]
            await self.accounts.begin(some, tip)
            under_way, self.rested = await self.accounts.sweeps.open(), 0
        if tip.ledger != self.rested:
            await asyncio.gather(*(self._step(each, tip) for each in under_way[:AT_ONCE]))
            self.rested = tip.ledger

    async def _read(self, room: int) -> None:
        """Read the next page of accounts, if it is time."""
        now = self.accounts.clock.now()
        if self.after is None and await self.accounts.sweeps.begin_round(now, now - self.interval):
            self.after = ""
        if self.after is None or self.waiting or room <= 0:
            return
        page = await self.holdings.page(self.accounts.network.sponsor, after=self.after)
        self.after = page[-1].account if len(page) == PAGE else None
        self.waiting = [each for each in page if any(each.spendable(name) >= self.accounts.over for name in each.amounts)]

    async def _step(self, held: Sweep, tip: Tip) -> None:
        """Go on with one; what is wrong with it keeps no other waiting."""
        try:
            await self.accounts.step(held, tip)
        except SignerRefusedError as error:
            _log.error("sweep.not_signed", sweep=held.id, error=repr(error))
        except TROUBLE as error:
            _log.warning("sweep.trouble", sweep=held.id, error=repr(error))


async def collect(each_round: Round, *, idle_seconds: float) -> None:
    """Sweep until cancelled; whatever goes wrong is tried again."""
    while True:
        try:
            await each_round.turn()
        except TROUBLE as error:
            _log.warning("sweep.trouble", error=repr(error))
        await asyncio.sleep(idle_seconds)
