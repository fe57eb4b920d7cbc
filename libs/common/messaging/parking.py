"""What happens to a message that could not be handled: it waits and comes back, or it is parked with its reason."""

from typing import Final

import msgspec
import structlog

from libs.common.contracts.envelope import Envelope, encode, raw
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.publisher import Publisher
from libs.common.observability.metrics import DEAD, RETRIED

ATTEMPTS_MAX: Final = 5
_REASON_LENGTH_MAX: Final = 500
_log = structlog.get_logger("offerhub.parking")


class Unreadable(msgspec.Struct, frozen=True):
    """The body of a dead letter that holds bytes we could not read as an envelope."""

    text: str


class Parking:
    """The retry queue and the dead letters of one service.

    Attempts are counted in the envelope, by us: the broker's own count rises with every lost connection.
    """

    def __init__(self, publisher: Publisher, service: str) -> None:
        """Park messages of this service."""
        self._publisher = publisher
        topology = publisher.topology
        self._retry = topology.retry_queue(service).name
        self._dead = topology.dead_queue(service).name
        self.own_queue = topology.command_queue(service).name

    async def retry(self, envelope: Envelope, error: Exception) -> None:
        """Let a message wait and come back; after the last attempt park it.

        Raises:
            TransientError: the broker did not confirm; the message is still where it was.
        """
        reason = f"{type(error).__name__}: {error}"[:_REASON_LENGTH_MAX]
        failed = msgspec.structs.replace(envelope, attempts=envelope.attempts + 1, reason=reason)
        if failed.attempts >= ATTEMPTS_MAX:
            await self.bury(failed, reason)
            return
        RETRIED.labels(envelope.type).inc()
        _log.warning("message.retried", type=envelope.type, message_id=envelope.id, attempts=failed.attempts, reason=reason)
        await self._publisher.send(encode(failed), exchange="", routing_key=self._retry)

    async def bury(self, envelope: Envelope, reason: str) -> None:
        """Park a message among the dead letters with its reason.

        Raises:
            TransientError: the broker did not confirm.
        """
        DEAD.labels(envelope.type).inc()
        _log.error("message.dead", type=envelope.type, message_id=envelope.id, reason=reason)
        parked = msgspec.structs.replace(envelope, reason=reason[:_REASON_LENGTH_MAX])
        await self._publisher.send(encode(parked), exchange="", routing_key=self._dead)

    async def bury_bytes(self, part: bytes, reason: str) -> None:
        """Park bytes that are no envelope at all, inside one that says so.

        Raises:
            TransientError: the broker did not confirm.
        """
        body = raw(Unreadable(part.decode("utf-8", "backslashreplace")))
        await self.bury(Envelope(new_id("cmd"), "Unreadable", Tenant(""), body), reason)
