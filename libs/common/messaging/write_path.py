"""The one write path: batches of messages, each batch one transaction, published right after its commit."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec
import structlog

from libs.common.contracts.catalog import bodies
from libs.common.contracts.commands.common import Forgo
from libs.common.contracts.envelope import Envelope, unframe
from libs.common.kernel.clock import Clock
from libs.common.kernel.errors import TransientError
from libs.common.messaging import faults, forgo
from libs.common.messaging.batch import Batch, Effects, Schema, UseCases, Work
from libs.common.messaging.parking import Parking
from libs.common.messaging.publisher import Publisher, UnroutableError
from libs.common.observability.metrics import BATCH_ENVELOPES, BATCH_SECONDS, HANDLED, RERUNS
from libs.common.observability.tracing import span
from libs.common.persistence import outbox
from libs.common.persistence.outbox import Outgoing

BATCH_ENVELOPES_MAX: Final = 400
BATCHES_AT_ONCE: Final = 2
"""While Postgres works on one batch Python decides another; row locks keep them apart. A third gains nothing."""
CROWD: Final = 200
"""From how many waiting messages on a second batch is begun. Fewer become one larger batch a bit later, which costs less: at 64
connections, 9 to 20 % of everybody's CPU for a reserve or a new order."""
CONFLICT_RERUNS_MAX: Final = 10
BACKOFF_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
DRAIN_SECONDS: Final = 5.0
"""How long a process that was told to stop finishes what it has begun."""

_CONFLICTS: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.UniqueViolationError,
    asyncpg.InvalidCachedStatementError,
)
_OUTAGES: Final = (
    OSError,
    TimeoutError,
    TransientError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_log = structlog.get_logger("offerhub.write_path")
_decoders: Final[dict[tuple[str, int], msgspec.json.Decoder[Any]]] = {
    key: msgspec.json.Decoder(kind) for key, kind in bodies().items()
}

Prepare = Callable[[Sequence[Work]], Awaitable[None]]
"""Called with the works of a batch before its transaction: the place to ask other services."""


@dataclass(slots=True)
class _Frame:
    """A frame whose messages are under way; `safe` ends when the last of them is."""

    safe: asyncio.Future[None]
    left: int

    def settle(self, trouble: TransientError | None = None) -> None:
        """Count one of its messages as safe, or give the whole frame back to the broker."""
        self.left -= 1
        if self.safe.done():
            return
        if trouble is not None:
            self.safe.set_exception(trouble)
        elif self.left == 0:
            self.safe.set_result(None)


class _GivenBackError(TransientError):
    """The process ends while something it needs is away: another one does it."""


class _Waiting(msgspec.Struct, frozen=True, gc=False):
    work: Work
    frame: _Frame


class WritePath:
    """Takes frames from the bus and returns from `accept` when each of their messages is safe.

    While one batch commits the next one fills: no timer, and at low load a batch is a single message.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        publisher: Publisher,
        parking: Parking,
        clock: Clock,
        *,
        schema: Schema,
        use_cases: UseCases,
        prepare: Prepare | None = None,
    ) -> None:
        """Put the parts together; `use_cases` maps message types to modules with `needs` and `decide`."""
        self._pool = pool
        self._publisher = publisher
        self._parking = parking
        self._clock = clock
        self._schema = schema
        self._use_cases: Mapping[str, Any] = {Forgo.__name__: forgo, **use_cases}
        self._prepare = prepare
        self._waiting: deque[_Waiting] = deque()
        self._runners: set[asyncio.Task[None]] = set()
        self._at_work = 0
        self._publishing: set[asyncio.Task[None]] = set()
        self._is_ending = False

    async def accept(self, body: bytes) -> None:
        """Handle a frame; when this returns each envelope has committed or was re-published with a confirm.

        Raises:
            TransientError: it could not be made safe; the frame must be delivered again.
        """
        await self.take(*unframe(body))

    async def take(self, envelopes: Sequence[Envelope], bad: Sequence[tuple[bytes, str]] = ()) -> None:
        """Handle envelopes that were taken out of a frame, and park what could not be read of it; else as `accept`.

        Raises:
            TransientError: not all could be made safe.
        """
        read = [(envelope, self._read(envelope)) for envelope in envelopes]
        safe = self._enqueue([work for _, work in read if isinstance(work, Work)])
        for part, reason in bad:
            await self._parking.bury_bytes(part, reason)
        for envelope, problem in read:
            if isinstance(problem, str):
                await self._parking.bury(envelope, problem)
        if safe is not None:
            await safe

    def wait_no_more(self) -> None:
        """Give from now on what meets an outage back to the broker, instead of waiting for the end of it."""
        self._is_ending = True

    async def drain(self, *, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until everything accepted so far is finished; what takes longer is called off, and the broker has it still."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._runners or self._publishing:
                    await asyncio.wait({*self._runners, *self._publishing})
        late = {*self._runners, *self._publishing}
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _read(self, envelope: Envelope) -> Work | str:
        use_case = self._use_cases.get(envelope.type)
        decoder = _decoders.get((envelope.type, envelope.version))
        if use_case is None or decoder is None:
            return f"no use case for {envelope.type} version {envelope.version}"
        try:
            return Work(envelope, decoder.decode(envelope.body), use_case)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return f"{envelope.type} can't be read: {error}"

    def _enqueue(self, works: Sequence[Work]) -> asyncio.Future[None] | None:
        if not works:
            return None
        frame = _Frame(asyncio.get_running_loop().create_future(), len(works))
        self._waiting.extend([_Waiting(work, frame) for work in works])
        if self._at_work < BATCHES_AT_ONCE and self._is_wanted(self._at_work + 1):
            self._at_work += 1
            runner = asyncio.create_task(self._run(), name="write path")
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return frame.safe

    def _is_wanted(self, runners: int) -> bool:
        """Say whether there is work for so many at once."""
        return len(self._waiting) >= (1 if runners == 1 else CROWD)

    async def _run(self) -> None:
        try:
            while self._is_wanted(self._at_work):
                size = min(len(self._waiting), BATCH_ENVELOPES_MAX)
                await self._handle([self._waiting.popleft() for _ in range(size)])
        finally:
            self._at_work -= 1

    async def _handle(self, batch: list[_Waiting]) -> None:
        try:
            effects = await self._commit_despite_trouble([item.work for item in batch])
        except _GivenBackError as trouble:
            for item in batch:
                item.frame.settle(trouble)
            return
        except Exception as error:  # noqa: BLE001 - the edge: whatever one message does must not hurt its neighbours
            if len(batch) > 1:
                RERUNS.labels("one_by_one").inc()
                for item in batch:
                    await self._handle([item])
                return
            await self._retry_later(batch[0], error)
            return
        except BaseException:
            for item in batch:
                item.frame.safe.cancel()
            raise
        task = asyncio.create_task(self._tell(effects, batch))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _commit_despite_trouble(self, works: list[Work]) -> Effects:
        """Run the batch until it commits. The first run takes every message for new; one that was not makes it fail."""
        conflicts = outages = 0
        looks = False
        while True:
            try:
                return await self._commit(works, looks=looks)
            except _CONFLICTS as error:
                conflicts += 1
                RERUNS.labels(type(error).__name__).inc()
                if conflicts > CONFLICT_RERUNS_MAX:
                    raise
            except _OUTAGES as error:
                RERUNS.labels(type(error).__name__).inc()
                if self._is_ending:
                    raise _GivenBackError(repr(error)) from error
                pause = BACKOFF_SECONDS[min(outages, len(BACKOFF_SECONDS) - 1)]
                outages += 1
                _log.warning("write.outage", error=repr(error), again_in_seconds=pause)
                await asyncio.sleep(pause)
            except Exception:
                if looks:
                    raise
            looks = True

    async def _commit(self, works: list[Work], *, looks: bool) -> Effects:
        if self._prepare is not None:
            await self._prepare(works)
        batch = Batch(self._schema, self._publisher.topology, self._parking.own_queue, self._clock.now(), works, looks)
        BATCH_ENVELOPES.observe(len(works))
        with BATCH_SECONDS.time(), span("write", traceparent=works[0].envelope.traceparent):
            async with self._pool.acquire() as connection, connection.transaction():
                effects = await batch.run(connection)
        faults.reach("write.after_commit")
        for labels, count in effects.handled.items():
            HANDLED.labels(*labels).inc(count)
        if self._schema.committed is not None:
            self._schema.committed(effects.decided)
        return effects

    async def _tell(self, effects: Effects, batch: list[_Waiting]) -> None:
        """Publish what a committed batch decided, then let its frames be acknowledged.

        Everything here may fail: the outbox keeps what was not confirmed, and a lost reply is asked for again.
        """
        for address, replies in effects.replies.items():
            told = self._publisher.send_all(replies, exchange="", routing_key=address, persistent=False)
            told.add_done_callback(_caller_gone)
        sent = [
            (self._publisher.send_all([message.body for message in group], exchange=exchange, routing_key=key), group)
            for (exchange, key), group in _by_route(effects.outgoing).items()
        ]
        if sent:
            await asyncio.wait([future for future, _ in sent])
            faults.reach("write.after_publish")
            await self._forget([message.id for future, group in sent if future.exception() is None for message in group])
        for item in batch:
            item.frame.settle()

    async def _forget(self, confirmed: list[str]) -> None:
        if not confirmed:
            return
        with contextlib.suppress(*_OUTAGES):  # the relay publishes them again, and every reader knows duplicates
            async with self._pool.acquire() as connection:
                await outbox.remove(connection, confirmed)
        faults.reach("write.after_outbox_removed")

    async def _retry_later(self, item: _Waiting, error: Exception) -> None:
        try:
            await self._parking.retry(item.work.envelope, error)
        except TransientError as trouble:
            item.frame.settle(trouble)
        else:
            item.frame.settle()


def _by_route(messages: Sequence[Outgoing]) -> dict[tuple[str, str], list[Outgoing]]:
    routes: dict[tuple[str, str], list[Outgoing]] = {}
    for message in messages:
        routes.setdefault((message.exchange, message.routing_key), []).append(message)
    return routes


def _caller_gone(future: asyncio.Future[None]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, UnroutableError):
        _log.info("reply.lost", error=repr(error))
