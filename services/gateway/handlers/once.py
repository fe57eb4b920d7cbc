"""Run a request once per Idempotency-Key, whoever repeats it and whichever process died on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import WAIT_SECONDS, Claimed, Fate, RowKey, Taken, fate
from services.gateway.store.gathering import Gathering, StoreUnavailableError
from services.gateway.store.requests import Claim, Requests, Settlement

_POLL_SECONDS: Final = 0.1
_log = structlog.get_logger("offerhub.once")

Run = Callable[[str], Awaitable[Answer]]
"""Does the work under a command id; the same id twice is one effect."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request with its key."""

    key: RowKey
    fingerprint: bytes
    window: timedelta | None
    storable: bool
    """False for answers with a secret in them: a repeat runs again and gets the same from the owner."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A request of this process from its claim until its end is on disk; `answer` is None when its key came free."""

    fingerprint: bytes
    answer: asyncio.Future[Answer | None]


class Once:
    """Claims keys before the work and settles them after the answer."""

    def __init__(self, requests: Requests, new_id: Callable[[str], str]) -> None:
        """Keep keys in this table."""
        self._new_id = new_id
        self._running: dict[RowKey, _Running] = {}
        self._claims: Gathering[Claim, Claimed | Taken] = Gathering(requests.claim)
        self._settlements: Gathering[Settlement, None] = Gathering(requests.settle)

    async def run(self, keyed: Keyed | None, run: Run) -> Answer:
        """Do the work, or return what it was answered with the first time.

        Raises:
            ApiError: the key was used for something else, is still in progress after 2 s, or can't be claimed now.
        """
        if keyed is None:
            return await run(self._new_id("cmd"))
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            running = self._running.get(keyed.key)
            answer = await (self._lead(keyed, run) if running is None else self._follow(keyed, running, deadline))
            if answer is not None:
                return answer
            if asyncio.get_running_loop().time() >= deadline:
                raise _in_progress(keyed)
            await asyncio.sleep(_POLL_SECONDS)

    async def drain(self) -> None:
        """Wait until every key that was claimed is settled."""
        await self._settlements.drain()

    async def _follow(self, keyed: Keyed, running: _Running, deadline: float) -> Answer | None:
        _check_same(keyed, running.fingerprint)
        try:
            async with asyncio.timeout_at(deadline):
                answer = await asyncio.shield(running.answer)
        except TimeoutError:
            raise _in_progress(keyed) from None
        return None if answer is None else replace(answer, is_replay=True)

    async def _lead(self, keyed: Keyed, run: Run) -> Answer | None:
        mine = _Running(keyed.fingerprint, asyncio.get_running_loop().create_future())
        self._running[keyed.key] = mine
        outcome: Claimed | Taken | None = None
        answer: Answer | None = None
        try:
            claim = Claim(keyed.key, keyed.fingerprint, self._new_id("cmd"), keyed.window)
            outcome = await self._claims.add(claim)
            if isinstance(outcome, Claimed):
                answer = await run(outcome.command_id)
        except StoreUnavailableError as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        finally:
            self._end(keyed, mine, outcome, answer)
        if isinstance(outcome, Claimed):
            return answer
        _check_same(keyed, outcome.fingerprint)
        return outcome.answer

    def _end(self, keyed: Keyed, mine: _Running, outcome: Claimed | Taken | None, answer: Answer | None) -> None:
        if not isinstance(outcome, Claimed):
            del self._running[keyed.key]
            mine.answer.set_result(None)
            return
        ending = Fate.HOLD if answer is None else fate(answer, storable=keyed.storable, fresh=outcome.fresh)
        final = answer is not None and not answer.retryable
        mine.answer.set_result(answer if final else None)
        settled = self._settlements.add(Settlement(keyed.key, outcome.command_id, ending, answer))
        settled.add_done_callback(lambda done: self._settled(keyed.key, done))

    def _settled(self, key: RowKey, done: asyncio.Future[None]) -> None:
        self._running.pop(key, None)
        error = None if done.cancelled() else done.exception()
        if error is not None:
            # The row stays in progress; once its lease is over a repeat runs again, and the owner answers what was done.
            _log.warning("request.not_settled", error=repr(error))


def _check_same(keyed: Keyed, fingerprint: bytes) -> None:
    if fingerprint != keyed.fingerprint:
        raise ApiError("IDEMPOTENCY_KEY_REUSED", idempotency_key=keyed.key[2])


def _in_progress(keyed: Keyed) -> ApiError:
    return ApiError("IDEMPOTENCY_KEY_IN_PROGRESS", retry_after=1, idempotency_key=keyed.key[2])
