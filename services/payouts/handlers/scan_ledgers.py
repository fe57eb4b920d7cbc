"""Looks through the chain ledger by ledger: what came to our accounts is written down in the transaction that moves the cursor.

A ledger is only looked at when it is proved by its header's hash (`domain/ledger_chain.py`): then nothing in it is missing, in
another order, twice or different. What is not proved, because a Horizon lags, tears or lies, is asked for again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from libs.common.messaging import faults
from libs.common.persistence.rows import Connection
from services.payouts.clients.history import PAGE, History, Line
from services.payouts.domain.deposits import Arrival, Deposit, arrivals
from services.payouts.domain.ledger_chain import NO_RESULTS, Header, UnprovedError, follow, is_whole, prove
from services.payouts.handlers.keep_deposits import Keeper
from services.payouts.store import scans
from services.payouts.store.scans import Cursor

STEP_TRANSACTIONS: Final = 2_000
"""About how many are looked through in one transaction of the database."""
MARGIN: Final = timedelta(hours=1)
"""By how much our clock and the network's may differ when the first scan looks for its beginning."""
_log = structlog.get_logger("offerhub.scan")


@dataclass(frozen=True, slots=True)
class Block:
    """A ledger that was looked through, and what it brought to whomever."""

    header: Header
    arrivals: tuple[Arrival, ...]


@dataclass(frozen=True, slots=True)
class Scanner:
    """Makes one step at a time; everything it knows is the cursor."""

    keeper: Keeper
    history: History
    network_id: bytes

    async def begin(self) -> None:
        """Begin before the first wallet was made: what came before that is nobody's.

        Raises:
            HistorySilentError, UnprovedError: Horizon does not say.
        """
        reach = await self.history.reach()  # before the wallets: one that is made meanwhile is told of later
        pool, network = self.keeper.pool, self.keeper.ours.network
        oldest = await scans.oldest_wallet(pool, network)
        wanted = reach.last if oldest is None else await self._closed_before(oldest - MARGIN, reach.first, reach.last)
        header = await self.history.header(wanted)
        if header.sequence != wanted:
            raise UnprovedError(f"ledger {wanted} shows itself as {header.sequence}")
        cursor, closed_at = Cursor(wanted, header.hash), _instant(header.closed_at)
        await scans.begin(pool, network, cursor, closed_at)
        _log.info("scan.begun", ledger=wanted, hash=header.hash.hex(), closed_at=closed_at.isoformat())

    async def _closed_before(self, instant: datetime, first: int, last: int) -> int:
        """Find the last ledger that closed before an instant, or the first there is."""
        while last - first > 0:
            middle = (first + last + 1) // 2
            if _instant((await self.history.header(middle)).closed_at) < instant:
                first = middle
            else:
                last = middle - 1
        return first

    async def step(self, cursor: Cursor) -> bool:
        """Look through the next ledgers; False when there is none yet.

        Raises:
            HistorySilentError, UnprovedError: Horizon does not say, or nothing that follows: ask again.
            UnreadableXdrError: the network has learnt something that this program has not; a person must look.
            ScanMovedError: another process was faster.
        """
        blocks = await self._read(cursor)
        if not blocks:
            return False
        faults.reach("scan.read")
        found = await self.keeper.attribute([each for block in blocks for each in block.arrivals])
        await self._keep(cursor, blocks[-1].header, found)
        return True

    async def _read(self, cursor: Cursor) -> list[Block]:
        headers = follow((cursor.ledger, cursor.hash), await self.history.headers(after=cursor.ledger))
        pages = _Pages(self.history)
        blocks: list[Block] = []
        for header in headers:
            if header.results == NO_RESULTS:
                blocks.append(Block(header, ()))
                continue
            shown = [line.shown for line in await pages.of(header.sequence)]
            if not is_whole(header, shown):
                if not blocks:
                    raise UnprovedError(f"ledger {header.sequence} has other transactions than are shown")
                break
            proved = prove(shown, self.network_id)
            blocks.append(Block(header, tuple(arrivals(header.sequence, header.closed_at, proved))))
            if pages.count >= STEP_TRANSACTIONS:
                break
        return blocks

    async def _keep(self, old: Cursor, header: Header, found: Sequence[Deposit]) -> None:
        new, closed_at = Cursor(header.sequence, header.hash), _instant(header.closed_at)

        async def move(connection: Connection) -> None:
            await scans.advance(connection, self.keeper.ours.network, old, new, closed_at)

        await self.keeper.keep(found, move)


class _Pages:
    """Reads on through everybody's transactions as far as ledgers are asked for, each once and in order."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lines: list[Line] = []
        self._is_at_end = False
        self._next = 0
        self.count = 0
        """How many were read."""

    async def of(self, ledger: int) -> list[Line]:
        """Return what is shown of a ledger."""
        self._next = self._next or ledger << 32
        while not self._is_at_end and not (self._lines and self._lines[-1].ledger > ledger):
            page = await self._history.transactions(after=self._next)
            self.count += len(page)
            self._lines += page
            self._is_at_end = len(page) < PAGE or page[-1].token <= self._next
            self._next = page[-1].token if page else self._next
        later = next((place for place, line in enumerate(self._lines) if line.ledger > ledger), len(self._lines))
        mine, self._lines = self._lines[:later], self._lines[later:]
        return mine


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
