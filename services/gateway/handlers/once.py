"""Run a request once per Idempotency-Key, whoever repeats it and whichever process died on the way; and record how it ended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from libs.common.kernel.errors import InvariantViolationError
from libs.common.kernel.ids import Tenant, sibling_id
from libs.common.messaging import faults
from libs.common.persistence.gathering import Gathering, StoreUnavailableError
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import WAIT_SECONDS, Claimed, Fate, RowKey, Taken, fate
from services.gateway.domain.records import About
from services.gateway.store.requests import Claim, Ended, Requests

_POLL_SECONDS: Final = 0.1
_log = structlog.get_logger("offerhub.once")

Run = Callable[[str], Awaitable[Answer]]
"""Does the work under a command id; the same id twice is one effect."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that changes something."""

    tenant: Tenant
    id: str
    api_key_id: str
    key: str | None
    fingerprint: bytes
    about: About
    own_request_id: str | None
    """The request id, when the caller chose it."""
    window: timedelta | None

    def claim(self) -> Claim:
        """Ask for the record, and for the key."""
        encoded = msgspec.json.encode(self.about)
        return Claim(self.tenant, self.id, self.api_key_id, self.key, self.fingerprint, encoded, self.own_request_id, self.window)


@dataclass(frozen=True, slots=True)
class _Running:
    """A request of this process from its claim until its end is on disk; `answer` is None when its key came free."""

    fingerprint: bytes
    answer: asyncio.Future[Answer | None]


class Once:
    """Claims before the work and settles after the answer."""

    def __init__(self, requests: Requests) -> None:
        """Keep requests in this table."""
        self._running: dict[RowKey, _Running] = {}
        self._claims: Gathering[Claim, Claimed | Taken] = Gathering(requests.claim)
        self._looks: Gathering[Claim, Taken | None] = Gathering(requests.look)
        self._settlements: Gathering[Ended, None] = Gathering(requests.settle)

    async def run(self, asked: Asked, run: Run, again: Run) -> Answer:
        """Do the work, or return what it was answered with the first time; `again` when that may be said but was not kept.

        Raises:
            ApiError: the key was used for something else, is still in progress after 2 s, or can't be claimed now.
        """
        if asked.key is None:
            claim = asked.claim()
            claimed = await self._claim(claim)
            if not isinstance(claimed, Claimed):
                raise InvariantViolationError("a request without a key meets no other")
            return await self._work(asked, claim, claimed, run, None)
        name = (asked.tenant, asked.api_key_id, asked.key)
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            running = self._running.get(name)
            answer = await (self._lead(asked, name, run, again) if running is None else self._follow(asked, running, deadline))
            if answer is not None:
                return answer
            if asyncio.get_running_loop().time() >= deadline:
                raise _in_progress(asked)
            await asyncio.sleep(_POLL_SECONDS)

    async def repeat(self, asked: Asked, again: Run) -> Answer | None:
        """Return what a repeated request was answered with, claiming nothing; None for one that has had no final answer.

        Raises:
            ApiError: the key was used for something else, or can't be looked up now.
        """
        if asked.key is None:
            return None
        running = self._running.get((asked.tenant, asked.api_key_id, asked.key))
        if running is not None:
            return await self._follow(asked, running, asyncio.get_running_loop().time() + WAIT_SECONDS)
        try:
            taken = await self._looks.add(asked.claim())
        except StoreUnavailableError as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        if taken is None:
            return None
        _check_same(asked, taken.fingerprint)
        return taken.answer if taken.again is None else await again(sibling_id("cmd", taken.again))

    async def drain(self) -> None:
        """Wait until every claimed request is settled."""
        await self._settlements.drain()

    async def _follow(self, asked: Asked, running: _Running, deadline: float) -> Answer | None:
        _check_same(asked, running.fingerprint)
        try:
            async with asyncio.timeout_at(deadline):
                answer = await asyncio.shield(running.answer)
        except TimeoutError:
            raise _in_progress(asked) from None
        return None if answer is None else replace(answer, is_replay=True)

    async def _lead(self, asked: Asked, name: RowKey, run: Run, again: Run) -> Answer | None:
        mine = _Running(asked.fingerprint, asyncio.get_running_loop().create_future())
        self._running[name] = mine
        claim, claimed = asked.claim(), False
        answer: Answer | None = None
        try:
            outcome = await self._claim(claim)
            if isinstance(outcome, Claimed):
                claimed = True
                answer = await self._work(asked, claim, outcome, run, name)
            else:
                _check_same(asked, outcome.fingerprint)
                answer = outcome.answer if outcome.again is None else await again(sibling_id("cmd", outcome.again))
        finally:
            if not claimed:
                del self._running[name]
            mine.answer.set_result(answer if claimed and answer is not None and not answer.retryable else None)
        return answer

    async def _claim(self, claim: Claim) -> Claimed | Taken:
        try:
            outcome = await self._claims.add(claim)
        except StoreUnavailableError as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        faults.reach("request.claimed")
        return outcome

    async def _work(self, asked: Asked, claim: Claim, claimed: Claimed, run: Run, name: RowKey | None) -> Answer:
        answer: Answer | None = None
        try:
            answer = await run(sibling_id("cmd", claimed.id))
            faults.reach("request.answered")
        except faults.KilledError:
            raise  # the dead write nothing down
        except BaseException:
            self._settle(_ended(asked, claim, claimed, None), name)
            raise
        self._settle(_ended(asked, claim, claimed, answer), name)
        return answer

    def _settle(self, ended: Ended, name: RowKey | None) -> None:
        def settled(done: asyncio.Future[None]) -> None:
            if name is not None:
                self._running.pop(name, None)
            error = None if done.cancelled() else done.exception()
            if error is not None:
                # The record stays in progress; once its lease is over the sweeper, or a repeat, asks the owner what was done.
                _log.warning("request.not_settled", error=repr(error))

        self._settlements.add(ended).add_done_callback(settled)


def _ended(asked: Asked, claim: Claim, claimed: Claimed, answer: Answer | None) -> Ended:
    if answer is None:
        return Ended(claim, claimed.id, claimed.started_at, Answer(0, b""), Fate.HOLD)
    ending = fate(answer, fresh=claimed.fresh)
    resource_id = asked.about.resource_id or answer.names
    return Ended(
        claim, claimed.id, claimed.started_at, answer, ending, resource_id, not asked.about.is_secret or answer.code != ""
    )


def _check_same(asked: Asked, fingerprint: bytes) -> None:
    if fingerprint != asked.fingerprint:
        raise ApiError("IDEMPOTENCY_KEY_REUSED", idempotency_key=asked.key)


def _in_progress(asked: Asked) -> ApiError:
    return ApiError("IDEMPOTENCY_KEY_IN_PROGRESS", retry_after=1, idempotency_key=asked.key)
