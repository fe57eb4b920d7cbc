"""The marketplace's side: every request is repeated with its key until its answer is final, and every final answer is kept."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

ATTEMPT_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = (0.05, 0.3)
_OK: Final = 300


@dataclass(frozen=True)
class Note:
    """A request and its final answer."""

    path: str
    body: dict[str, Any] | None
    key: str
    is_support: bool
    status: int
    answer: bytes

    @property
    def accepted(self) -> bool:
        return self.status < _OK

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.answer)["data"]
        return found

    @property
    def code(self) -> str:
        return "" if self.accepted else str(json.loads(self.answer)["error"]["code"])

    def says(self) -> tuple[int, Any]:
        """Return what a repeat must say again: a success to the byte, a refusal but for the id of the request."""
        if self.accepted:
            return self.status, self.answer
        error = json.loads(self.answer)["error"]
        return self.status, error | {"request_id": ""}


@dataclass
class Desk:
    """Speaks HTTP with one stack and keeps the journal of all its clients."""

    session: aiohttp.ClientSession
    api_url: str
    api_key: str
    support_key: str
    seed: int
    notes: list[Note] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Answers of single attempts, final or not."""
    breaches: list[str] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)
    _count: int = 0

    async def post(self, path: str, body: dict[str, Any] | None = None, *, support: bool = False, twins: int = 1) -> Note:
        """POST until the answer is final and note it; `twins` callers send it at once under the same key."""
        self._count += 1
        key = f"chaos-{self.seed}-{self._count}"
        dice = random.Random(f"{self.seed} {key}")
        self.unanswered.add(key)
        first, *others = await asyncio.gather(*(self.insist(path, body, key, dice, support=support) for _ in range(twins)))
        self.unanswered.discard(key)
        self.notes.append(first)
        for other in others:
            self.compare(first, other)
        return first

    def compare(self, first: Note, again: Note) -> None:
        """Take down a repeat that was answered differently."""
        if first.says() != again.says():
            self.breaches.append(
                f"POST {first.path} under {first.key} was answered {first.status} {first.answer.decode()},"
                f" then {again.status} {again.answer.decode()}"
            )

    async def insist(
        self, path: str, body: dict[str, Any] | None, key: str, dice: random.Random, *, support: bool = False
    ) -> Note:
        """Repeat one request until its answer is final."""
        headers = {"Authorization": f"Bearer {self.support_key if support else self.api_key}", "Idempotency-Key": key}
        while True:
            try:
                async with self.session.post(f"{self.api_url}{path}", json=body, headers=headers) as response:
                    status, answer = response.status, await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.outcomes[f"no answer ({type(error).__name__})"] += 1
            else:
                if self._is_final(path, status, answer):
                    return Note(path, body, key, support, status, answer)
            await asyncio.sleep(dice.uniform(*_PAUSE_SECONDS))

    def _is_final(self, path: str, status: int, answer: bytes) -> bool:
        if status < _OK:
            self.outcomes[str(status)] += 1
            return True
        error = json.loads(answer)["error"]
        self.outcomes[f"{status} {error['code']}{' (retryable)' if error['retryable'] else ''}"] += 1
        if status == 500:
            self.breaches.append(f"POST {path} was answered 500 {answer.decode()}")
        return not error["retryable"]
