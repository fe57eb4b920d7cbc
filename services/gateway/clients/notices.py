"""What is told to every gateway, over an exclusive queue that lives as long as its connection."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from libs.common.contracts.catalog import NOTICES
from libs.common.contracts.envelope import Envelope, encode, raw, unframe
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher

_decoders: Final[dict[tuple[str, int], msgspec.json.Decoder[Any]]] = {
    key: msgspec.json.Decoder(kind) for key, kind in NOTICES.items()
}
_log = structlog.get_logger("offerhub.notices")

Hear = Callable[[Tenant, msgspec.Struct], None]


class Notices:
    """Tells all gateways, this one too, and hears what they and the services tell."""

    def __init__(self, link: Link, publisher: Publisher, *, instance: str) -> None:
        """Listen on this link each time it comes up; `instance` makes the queue's name readable."""
        self._link = link
        self._publisher = publisher
        self._instance = instance
        self.hear: Hear = lambda _tenant, _notice: None
        link.on_up.append(self._listen)

    def tell(self, tenant: Tenant, notice: msgspec.Struct) -> None:
        """Tell every gateway, as far as the broker can be reached."""
        envelope = encode(Envelope(new_id("cmd"), type(notice).__name__, tenant, raw(notice)))
        exchange = self._link.topology.notices.name
        sent = self._publisher.send(envelope, exchange=exchange, routing_key="", persistent=False)
        sent.add_done_callback(_seen)

    async def _listen(self, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        topology = self._link.topology
        queue = await channel.declare_queue(
            topology.notice_queue(self._instance, secrets.token_hex(4)), exclusive=True, durable=False
        )
        await queue.bind(topology.notices.name)
        await queue.consume(self._heard, no_ack=True)

    async def _heard(self, message: AbstractIncomingMessage) -> None:
        envelopes, bad = unframe(message.body)
        for _, reason in bad:
            _log.error("notice.unreadable", reason=reason)
        for envelope in envelopes:
            decoder = _decoders.get((envelope.type, envelope.version))
            if decoder is not None:
                self.hear(envelope.tenant, decoder.decode(envelope.body))


def _seen(sent: asyncio.Future[None]) -> None:
    if not sent.cancelled():
        sent.exception()  # whoever does not hear it now finds out later
