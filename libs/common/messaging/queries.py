"""The read path: a frame of questions becomes one look-up per kind of question, and one frame of answers."""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import asyncpg
import msgspec
import structlog

from libs.common.contracts.catalog import QUERIES
from libs.common.contracts.envelope import Envelope, reply_body, reply_to, unframe
from libs.common.contracts.queries.common import Ping
from libs.common.contracts.replies.common import Pong
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant
from libs.common.messaging.publisher import Publisher

Q = TypeVar("Q")
_log = structlog.get_logger("offerhub.queries")
_decoders: Final[dict[tuple[str, int], msgspec.json.Decoder[Any]]] = {
    key: msgspec.json.Decoder(kind) for key, kind in QUERIES.items()
}


@dataclass(frozen=True, slots=True)
class Asked(Generic[Q]):
    """One question of one tenant."""

    tenant: Tenant
    query: Q


Answers = Sequence[msgspec.Struct | Refusal]
Reader = Callable[[asyncpg.Pool, Sequence[Asked[Any]]], Awaitable[Answers]]
"""Answers questions of one kind, in their order, with as few statements as it can."""


async def answer_pings(pool: asyncpg.Pool, asked: Sequence[Asked[Ping]]) -> Answers:
    """Say that the service is there, once its database has said so too."""
    await pool.fetchval("SELECT 1")
    return [Pong()] * len(asked)


class QueryPath:
    """Answers frames of questions; what it can't answer the asker asks again."""

    def __init__(self, pool: asyncpg.Pool, publisher: Publisher, readers: Mapping[str, Reader]) -> None:
        """Answer with these readers, one per query type; pings are answered everywhere."""
        self._pool = pool
        self._publisher = publisher
        self._readers = {Ping.__name__: answer_pings, **readers}

    async def accept(self, body: bytes) -> None:
        """Answer every question of a frame that somebody still waits for."""
        envelopes, bad = unframe(body)
        for _, reason in bad:
            _log.error("query.unreadable", reason=reason)
        now_ms = time.time() * 1000  # noqa: TID251 - compared with a deadline on the wire
        groups: dict[str, list[tuple[Envelope, Asked[Any]]]] = defaultdict(list)
        for envelope in envelopes:
            decoder = _decoders.get((envelope.type, envelope.version))
            if decoder is None or envelope.type not in self._readers:
                _log.error("query.unknown", type=envelope.type, version=envelope.version)
            elif not envelope.deadline_ms or envelope.deadline_ms > now_ms:
                groups[envelope.type].append((envelope, Asked(envelope.tenant, decoder.decode(envelope.body))))
        for kind, group in groups.items():
            await self._answer(kind, group)

    async def _answer(self, kind: str, group: Sequence[tuple[Envelope, Asked[Any]]]) -> None:
        try:
            answers = await self._readers[kind](self._pool, [asked for _, asked in group])
        except Exception as error:  # noqa: BLE001 - the edge: the asker's deadline and retry deal with it
            _log.error("query.failed", type=kind, error=repr(error))
            return
        for (envelope, _), answer in zip(group, answers, strict=True):
            reply = reply_to(envelope, reply_body(answer))
            self._publisher.send(reply, exchange="", routing_key=envelope.reply_to, persistent=False).add_done_callback(_seen)


def _seen(future: Any) -> None:  # noqa: ANN401 - a done-callback; the asker may be gone, which is no error of ours
    if not future.cancelled():
        future.exception()
