"""A running chain: closes ledgers, keeps them, tells whoever waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from stellar_sdk import Keypair, Network

from deploy.sandbox.horizon.chain.entries import Account, Claimable, Entry
from deploy.sandbox.horizon.chain.frames import Frame
from deploy.sandbox.horizon.history.clock import Clock, RealClock, VirtualClock
from deploy.sandbox.horizon.history.reads import Reads
from deploy.sandbox.horizon.history.rows import LedgerRow, rows_of
from deploy.sandbox.horizon.history.store import Store
from deploy.sandbox.horizon.ledger.chain import Chain, Closed
from deploy.sandbox.horizon.ledger.header import Header, decode_header, genesis, root_keypair
from deploy.sandbox.horizon.ledger.queue import Admission
from deploy.sandbox.horizon.resources.transactions import Body
from deploy.sandbox.horizon.settings import Settings

_NETWORK: Final = "network"


class WrongNetwork(RuntimeError):
    """The state directory is of another network."""


class View:
    """What a reader sees that is as far as a ledger, be it the latest or not."""

    def __init__(self, node: "Node", ledger: int) -> None:
        """Look as of a ledger."""
        self.ledger = ledger
        self.reads = node.reads
        self._node = node

    def account(self, account: str) -> Account | None:
        """Find an account."""
        entry = self._node.chain.state.peek_at(account, self.ledger)
        return entry if isinstance(entry, Account) else None

    def claimable(self, balance_id: str) -> Claimable | None:
        """Find a claimable balance."""
        entry = self._node.chain.state.peek_at(balance_id, self.ledger)
        return entry if isinstance(entry, Claimable) else None

    def entries(self) -> Iterator[Entry]:
        """Go through everything."""
        return self._node.chain.state.entries_at(self.ledger)

    def header(self, ledger: int | None = None) -> Header:
        """Return a ledger's header, the latest one's if none is named."""
        return decode_header(self.row(self.ledger if ledger is None else ledger).header)

    def row(self, ledger: int) -> LedgerRow:
        """Return a ledger that is known to be there."""
        found = self.reads.ledger(ledger)
        if found is None:
            raise LookupError(f"ledger {ledger} is referred to but is not kept")
        return found


class Node:
    """One chain in one state directory."""

    def __init__(self, settings: Settings) -> None:
        """Open the directory, and begin the chain or go on from its latest ledger.

        Raises:
            WrongNetwork: it was begun with another passphrase.
        """
        self.settings = settings
        self.network_id = Network(settings.passphrase).network_id()
        self._store = Store(settings.state)
        known = self._store.fact(_NETWORK) or settings.passphrase
        if known != settings.passphrase:
            self._store.close()
            raise WrongNetwork(f"{settings.state} is of the network '{known}', not '{settings.passphrase}'")
        self._store.note(_NETWORK, settings.passphrase)
        self.clock = self._make_clock()
        self.chain = self._open()
        self.reads = Reads(self._store.path)
        self.is_paused = False
        self._closing = asyncio.Lock()
        self._news = asyncio.Event()

    @property
    def root(self) -> Keypair:
        """The key of the account that everything began with."""
        return root_keypair(self.network_id)

    @property
    def latest(self) -> int:
        """The latest ledger's number."""
        return self.chain.header.sequence

    def view(self, lag: int = 0) -> View:
        """Look at the chain as of some ledgers ago, as far back as that is remembered."""
        return View(self, max(self.latest - lag, self.chain.state.oldest(), 1))

    def offer(self, frame: Frame) -> Admission:
        """Take a transaction into the queue, or say why not."""
        return self.chain.offer(frame, self.clock.now())

    async def close(self) -> Closed:
        """Close a ledger: make it, keep it, and only then make it known."""
        async with self._closing:
            self.clock.tick()
            closed = self.chain.close(self.clock.now())
            rows = rows_of(closed)
            await asyncio.to_thread(self._store.keep, rows)
            self.chain.accept(closed)
        news, self._news = self._news, asyncio.Event()
        news.set()
        return closed

    async def close_regularly(self) -> None:
        """Close ledgers for ever, at even times."""
        period = self.settings.close_ms / 1_000
        loop = asyncio.get_running_loop()
        due = loop.time() + period
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not self.is_paused:
                await self.close()
            due = max(due + period, loop.time())

    async def news(self, after: int, *, seconds: float | None = None) -> bool:
        """Wait until another ledger than one already seen is the latest; False if that took too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.latest == after:
                    await self._news.wait()
                return True
        return False

    async def outcome(self, digest: str, *, seconds: float, lag: int = 0) -> Body | None:
        """Wait for a transaction to be in a ledger; None if it was not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            latest = self.latest
            found = self.reads.transaction(digest, as_of=self.view(lag).ledger)
            if found is not None or not await self.news(latest, seconds=max(0.0, deadline - loop.time())):
                return found

    async def reset(self) -> None:
        """Begin the network anew, as test networks do from time to time."""
        async with self._closing:
            await asyncio.to_thread(self._store.clear)
            self._store.note(_NETWORK, self.settings.passphrase)
            self.clock.advance(0)
            self.chain = self._open()

    def stop(self) -> None:
        """Let the directory go."""
        self.reads.close()
        self._store.close()

    def _make_clock(self) -> Clock:
        start, kept = self.settings.virtual_start, self._store.latest_header()
        if start is None:
            return RealClock(self._store)
        return VirtualClock(start if kept is None else decode_header(kept).close_time, self.settings.virtual_step)

    def _open(self) -> Chain:
        kept, entries = self._store.latest_header(), self._store.entries()
        if kept is not None:
            header = decode_header(kept)
        else:
            header, root = genesis(self.network_id, self.clock.now())
            entries = {root.id: root}
            self._store.keep(rows_of(Closed(header, header.hash, [], [], {root.id: root})))
        return Chain(self.network_id, header, entries, close_seconds=self.settings.close_seconds)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Node]:
    """Run a chain for the length of a block; several may run, each in a directory of its own."""
    node = Node(settings)
    try:
        async with asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(node.close_regularly()) if settings.close_ms else None
            yield node
            if closing is not None:
                closing.cancel()
    finally:
        node.stop()
