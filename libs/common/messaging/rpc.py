"""Questions and answers over the bus: a correlation map and a deadline on every call."""

import asyncio
import secrets
import time
from typing import Final, NamedTuple

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from libs.common.contracts.envelope import REPLY_TYPE, Envelope, Reply, encode, open_reply, raw, unframe
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.link import Link, NotPublishedError, OutcomeUnknownError
from libs.common.messaging.publisher import Publisher
from libs.common.observability.metrics import RPC_SECONDS
from libs.common.observability.tracing import current_traceparent

COMMAND_SECONDS: Final = 10.0
QUERY_SECONDS: Final = 5.0


class _Kind(NamedTuple):
    """Where a kind of question goes, how long its answer may take, and whether it survives a broker's restart."""

    exchange: str
    seconds: float
    persistent: bool


class RpcClient:
    """Asks services and awaits their answers, on a reply queue that lives as long as its connection."""

    def __init__(self, link: Link, publisher: Publisher, *, instance: str) -> None:
        """Ask over this link; `instance` makes the reply queue's name readable."""
        self._link = link
        self._publisher = publisher
        self._instance = instance
        self._queue = ""
        self._awaited: dict[str, asyncio.Future[Reply]] = {}
        link.on_up.append(self._listen)
        link.on_lost.append(self._give_up)

    async def command(self, service: str, message: object, *, tenant: Tenant, command_id: str) -> Reply:
        """Ask a service to do something; the same `command_id` is done once however often it is asked.

        Raises:
            NotPublishedError: nothing happened. OutcomeUnknownError: it may have; ask again with the same id.
        """
        kind = _Kind(self._link.topology.commands.name, COMMAND_SECONDS, persistent=True)
        return await self._ask(kind, service, message, tenant, command_id)

    async def query(self, service: str, message: object, *, tenant: Tenant) -> Reply:
        """Ask a service what it knows.

        Raises:
            NotPublishedError, OutcomeUnknownError: no answer; ask again.
        """
        kind = _Kind(self._link.topology.queries.name, QUERY_SECONDS, persistent=False)
        return await self._ask(kind, service, message, tenant, new_id("req"))

    async def _ask(self, kind: _Kind, service: str, message: object, tenant: Tenant, message_id: str) -> Reply:
        if not self._link.is_up:
            raise NotPublishedError("no connection to the broker")
        envelope = Envelope(
            id=message_id,
            type=type(message).__name__,
            tenant=tenant,
            body=raw(message),
            reply_to=self._queue,
            deadline_ms=int((time.time() + kind.seconds) * 1000),  # noqa: TID251 - a deadline on the wire
            traceparent=current_traceparent(),
        )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._awaited[f"{message_id}.reply"] = future
        started = loop.time()
        timer = loop.call_later(kind.seconds, _expire, future)
        try:
            confirm = self._publisher.send(
                encode(envelope), exchange=kind.exchange, routing_key=service, persistent=kind.persistent
            )
            confirm.add_done_callback(lambda done: _pass_failure(done, future))
            return await future
        finally:
            timer.cancel()
            if self._awaited.get(f"{message_id}.reply") is future:
                del self._awaited[f"{message_id}.reply"]
            RPC_SECONDS.labels(service).observe(loop.time() - started)

    async def _listen(self, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        name = self._link.topology.reply_queue(self._instance, secrets.token_hex(4))
        queue = await channel.declare_queue(name, exclusive=True, durable=False)
        await queue.consume(self._answered, no_ack=True)
        self._queue = name

    async def _answered(self, message: AbstractIncomingMessage) -> None:
        envelopes, _ = unframe(message.body)
        for envelope in envelopes:
            future = self._awaited.get(envelope.id)
            if future is not None and not future.done() and envelope.type == REPLY_TYPE:
                future.set_result(open_reply(envelope))

    def _give_up(self) -> None:
        for future in self._awaited.values():
            if not future.done():
                future.set_exception(OutcomeUnknownError("the connection to the broker was lost before the answer came"))


def _expire(future: asyncio.Future[Reply]) -> None:
    if not future.done():
        future.set_exception(OutcomeUnknownError("no answer before the deadline"))


def _pass_failure(confirm: asyncio.Future[None], answer: asyncio.Future[Reply]) -> None:
    error = None if confirm.cancelled() else confirm.exception()
    if error is not None and not answer.done():
        answer.set_exception(error)
