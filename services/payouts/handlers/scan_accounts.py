"""Looks at our accounts one by one, for a Horizon that counts requests: the busy ones often, the quiet ones seldom.

An account's pages are believed when they explain what it holds (`domain/account_replay.py`); until then nobody is credited.
"""

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import structlog

from libs.common.messaging import faults
from libs.common.persistence.rows import Connection
from services.payouts.clients.history import PAGE, History, HistorySilentError, Line
from services.payouts.clients.holdings import Holding, Holdings
from services.payouts.clients.keys import has_signed
from services.payouts.domain.account_replay import Budget, Entry, difference, entry, moved, pause
from services.payouts.domain.deposits import Arrival, arrivals
from services.payouts.domain.ledger_chain import UnprovedError
from services.payouts.domain.strkey import read_account
from services.payouts.domain.xdr import UnreadableXdrError
from services.payouts.handlers.keep_deposits import Keeper
from services.payouts.store import account_scans
from services.payouts.store.account_scans import Looked

LOOKS_AT_ONCE: Final = 20
LONGEST: Final = timedelta(days=1)
"""The walk finds sooner what happens to an account that was quiet for so long."""
LONGEST_OF_TREASURY: Final = timedelta(minutes=1)
ALARM_TRIES: Final = 5
"""So often may a balance not be explained, because of replicas that lag, before a person is asked to look."""
BACKOFF_MAX: Final = 8
"""So often is the wait doubled while a balance is not explained: to about twenty minutes."""
_log = structlog.get_logger("offerhub.scan")


@dataclass(slots=True)
class AccountScanner:
    """Looks at what is due; all it knows is in the table, but for the budget and the place of the walk."""

    keeper: Keeper
    history: History
    holdings: Holdings
    network_id: bytes
    sponsor: str
    budget: Budget
    shortest: timedelta
    """Between two looks at an account: about a ledger."""
    walked_to: str = field(default="", init=False)
    walked_at: timedelta = field(default=timedelta(), init=False)

    async def step(self, *, begin: int) -> bool:
        """Look at some accounts, or make a step of the walk; False when there is nothing to do, or no request left.

        The treasury is looked at behind the ledger `begin`, and a wallet from its account's first transaction on.

        Raises:
            HistorySilentError: Horizon does not answer.
        """
        pool, network = self.keeper.pool, self.keeper.ours.network
        now = self.keeper.clock.now()
        await account_scans.register(pool, network, self.keeper.ours.treasury, begin, now)
        due = await account_scans.due(pool, network, now, LOOKS_AT_ONCE)
        for each in due:
            if not self.budget.has_any(_elapsed()):
                return False
            await self._look(each)
        return bool(due) or await self._walk()

    async def _walk(self) -> bool:
        """Ask for the next two hundred accounts at once: those that changed are due."""
        here = _elapsed()
        if here - self.walked_at < self.shortest or not self.budget.has_any(here):
            return False
        self.budget.spend()
        page = await self.holdings.page(self.sponsor, after=self.walked_to)
        self.walked_at, self.walked_to = here, page[-1].account if len(page) == PAGE else ""
        modified = {each.account: each.modified for each in page}
        await account_scans.changed(self.keeper.pool, self.keeper.ours.network, modified, self.keeper.clock.now())
        return True

    async def _look(self, looked: Looked) -> None:
        try:
            trouble = await self._explain(looked)
        except HistorySilentError:
            await self._postpone(looked, None)
            raise
        except (UnprovedError, UnreadableXdrError) as error:
            trouble = repr(error)
        if trouble is None:
            return
        report = _log.error if looked.tries + 1 >= ALARM_TRIES else _log.info
        report("scan.unexplained", account=looked.account, trouble=trouble, tries=looked.tries + 1)
        await self._postpone(looked, trouble)

    async def _explain(self, looked: Looked) -> str | None:
        """Take in what is new, or say why it can't be believed."""
        self.budget.spend()
        shown = await self.holdings.at(looked.account)
        if shown is None or shown.ledger < looked.ledger:
            if looked.ledger and shown is None:
                raise HistorySilentError(f"{looked.account} was there before")
            await self._postpone(looked, None)
            return None
        known = looked.held
        is_same = known is not None and not difference(shown.amounts, known)
        lines = [] if is_same and shown.modified <= looked.ledger else await self._lines(looked, shown.ledger)
        faults.reach("scan.read")
        account = read_account(looked.account) or b""
        entries = [entry(account, each.token, each.shown, each.closed_at, self.network_id, has_signed) for each in lines]
        change = moved(account, entries, self.keeper.ours)
        if known is not None and not looked.is_accepted:
            trouble = difference(shown.amounts, {name: known[name] + change[name] for name in known})
            if trouble:
                return f"it holds {trouble} that its transactions do not explain"
        await self._keep(looked, shown, lines, entries)
        return None

    async def _lines(self, looked: Looked, last: int) -> list[Line]:
        """Read an account's transactions behind the cursor, up to a ledger."""
        lines: list[Line] = []
        after = looked.cursor
        while True:
            self.budget.spend()
            page = await self.history.transactions(after=after, account=looked.account)
            for line in page:
                if line.token <= after or line.token >> 32 != line.ledger:
                    raise UnprovedError(f"{line.token} stands behind {after} on a page of {looked.account}")
                after = line.token
            lines += [line for line in page if line.ledger <= last]
            if len(page) < PAGE or after >> 32 > last:
                return lines

    async def _keep(self, looked: Looked, shown: Holding, lines: list[Line], entries: list[Entry]) -> None:
        found = await self.keeper.attribute([each for one in entries for each in _arrivals(one, looked.account)])
        now = self.keeper.clock.now()
        new = replace(
            looked,
            cursor=lines[-1].token if lines else looked.cursor,
            usd=shown.amounts.get("USD", 0),
            xlm=shown.amounts.get("XLM", 0),
            ledger=shown.ledger,
            sign_at=now if lines else looked.sign_at,
        )
        due_at = now + self._pause(new)

        async def move(connection: Connection) -> None:
            await account_scans.advance(connection, self.keeper.ours.network, looked, new, due_at)

        await self.keeper.keep(found, move)

    async def _postpone(self, looked: Looked, trouble: str | None) -> None:
        wait = self._pause(looked) if trouble is None else self.shortest * (1 << min(looked.tries, BACKOFF_MAX))
        due_at = self.keeper.clock.now() + wait
        await account_scans.postpone(self.keeper.pool, self.keeper.ours.network, looked, due_at, trouble)

    def _pause(self, looked: Looked) -> timedelta:
        longest = LONGEST_OF_TREASURY if looked.account == self.keeper.ours.treasury else LONGEST
        return pause(self.keeper.clock.now() - looked.sign_at, shortest=self.shortest, longest=max(longest, self.shortest))


def _arrivals(one: Entry, account: str) -> list[Arrival]:
    return [each for each in arrivals(one.ledger, one.closed_at, [one.read]) if each.account == account]


def _elapsed() -> timedelta:
    return timedelta(seconds=time.monotonic())
