"""Statements for many at once: while one is in flight, what comes in waits for the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import asyncpg

from libs.common.kernel.errors import TransientError

Item = TypeVar("Item")
Result = TypeVar("Result")

STATEMENT_SECONDS: Final = 5.0
TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class StoreUnavailableError(TransientError):
    """The database did not do it."""


class Gathering(Generic[Item, Result]):
    """Runs one statement at a time, each for all items that came in meanwhile; no timer, no delay when idle."""

    def __init__(self, run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, most: int = 400) -> None:
        """Run statements with `run`, which answers in the order of its items; at most `most` items each."""
        self._run = run
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._pump: asyncio.Task[None] | None = None

    def add(self, item: Item) -> asyncio.Future[Result]:
        """Put an item into the next statement.

        The future raises:
            StoreUnavailableError: the statement failed or took longer than 5 s.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._pump is None:
            self._pump = asyncio.create_task(self._work())
        return future

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

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                results = await self._run([item for item, _ in batch])
        except TROUBLE as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(StoreUnavailableError(repr(error)))
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
