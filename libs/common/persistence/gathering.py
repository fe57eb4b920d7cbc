"""Statements for many at once: while one is in flight, what comes in waits for the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import asyncpg

from libs.common.kernel.errors import TransientError

Item = TypeVar("Item")
Result = TypeVar("Result")
Trouble = tuple[type[Exception], ...]

STATEMENT_SECONDS: Final = 5.0
_DEADLOCKS_MAX: Final = 3
TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class StoreUnavailableError(TransientError):
    """The store did not do it."""


class Gathering(Generic[Item, Result]):
    """Runs one statement at a time, each for all items that came in meanwhile; no timer, no delay when idle."""

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        most: int = 400,
        seconds: float = STATEMENT_SECONDS,
        trouble: Trouble = TROUBLE,
    ) -> None:
        """Run statements with `run`, which answers in the order of its items; at most `most` items each.

        `trouble` is what a store raises that can't be asked now; Postgres unless told otherwise.
        """
        self._run = run
        self._most = most
        self._seconds = seconds
        self._trouble = trouble
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._pump: asyncio.Task[None] | None = None

    def add(self, item: Item) -> asyncio.Future[Result]:
        """Put an item into the next statement.

        The future raises:
            StoreUnavailableError: the statement failed or took too long.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._pump is None:
            self._pump = asyncio.create_task(self._work())
        return future

    @property
    def waiting(self) -> int:
        """Count the items that wait for a statement."""
        return len(self._waiting)

    async def drain(self) -> None:
        """Wait until nothing is left."""
        while self._pump is not None:
            await self._pump

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._settle(batch)
        finally:
            self._pump = None

    async def _run_through(self, items: Sequence[Item]) -> Sequence[Result]:
        for _ in range(_DEADLOCKS_MAX):
            try:
                return await self._run(items)
            except asyncpg.DeadlockDetectedError:
                continue  # two processes met in opposite orders; Postgres chose us to step back
        return await self._run(items)

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                results = await self._run_through([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait for it are told
            told = StoreUnavailableError(repr(error)) if isinstance(error, self._trouble) else error
            for _, future in batch:
                if not future.done():
                    future.set_exception(told)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
