"""Publishing in frames: at once when idle, and whatever gathers until the confirm goes into the next frame."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import aio_pika
from aio_pika.abc import DeliveryMode
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError

from libs.common.contracts.envelope import FRAME_BYTES_MAX, FRAME_ENVELOPES_MAX, frame
from libs.common.contracts.topology import Topology
from libs.common.messaging.link import Link, NotPublishedError, OutcomeUnknownError
from libs.common.observability.metrics import FRAME_ENVELOPES, PUBLISHED

CONFIRM_TIMEOUT_SECONDS: Final = 5.0


class UnroutableError(NotPublishedError):
    """The broker has no queue for the message and gave it back."""


@dataclass(slots=True)
class _Parcel:
    """Envelopes that were handed over together: `sent` ends with the confirm of the last of them, or the first failure."""

    sent: asyncio.Future[None]
    left: int

    def settle(self, error: Exception | None) -> None:
        """Count one envelope of it as confirmed or failed."""
        self.left -= 1
        if self.sent.done():
            return
        if error is not None:
            self.sent.set_exception(error)
        elif self.left == 0:
            self.sent.set_result(None)


_Waiting = deque[tuple[bytes, _Parcel]]


@dataclass(slots=True)
class _Lane:
    """What waits for one exchange and routing key; at most one publish of it is in flight."""

    exchange: str
    routing_key: str
    persistent: bool
    waiting: _Waiting = field(default_factory=deque)
    pump: asyncio.Task[None] | None = None


class Publisher:
    """Publishes encoded envelopes over a link, mandatory and with confirms."""

    def __init__(self, link: Link) -> None:
        """Publish over this link."""
        self._link = link
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self.topology: Topology = link.topology

    def send(self, envelope: bytes, *, exchange: str, routing_key: str, persistent: bool = True) -> asyncio.Future[None]:
        """Publish one envelope, as `send_all` does many."""
        return self.send_all((envelope,), exchange=exchange, routing_key=routing_key, persistent=persistent)

    def send_all(
        self, envelopes: Sequence[bytes], *, exchange: str, routing_key: str, persistent: bool = True
    ) -> asyncio.Future[None]:
        """Put envelopes into their lane; the future ends with the broker's confirm of the last of their frames.

        The future raises:
            NotPublishedError: there is no connection, or UnroutableError: no queue; nothing happened.
            OutcomeUnknownError: the connection was lost before the confirm came.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._link.is_up:
            future.set_exception(NotPublishedError("no connection to the broker"))
            return future
        lane = self._lanes.get((exchange, routing_key))
        if lane is None:
            lane = self._lanes[exchange, routing_key] = _Lane(exchange, routing_key, persistent)
        parcel = _Parcel(future, len(envelopes))
        lane.waiting.extend([(envelope, parcel) for envelope in envelopes])
        if lane.pump is None:
            lane.pump = asyncio.create_task(self._pump(lane))
        return future

    async def _pump(self, lane: _Lane) -> None:
        while lane.waiting:
            parts = _take(lane.waiting)
            error = await self._publish(lane, frame([part for part, _ in parts]))
            FRAME_ENVELOPES.observe(len(parts))
            PUBLISHED.labels("ok" if error is None else type(error).__name__).inc(len(parts))
            for _, parcel in parts:
                parcel.settle(error)
        lane.pump = None
        if not lane.exchange:
            self._lanes.pop((lane.exchange, lane.routing_key), None)  # a reply queue's name is never used again for long

    async def _publish(self, lane: _Lane, body: bytes) -> Exception | None:
        channel = self._link.channel
        if channel is None or channel.is_closed:
            return NotPublishedError("no connection to the broker")
        mode = DeliveryMode.PERSISTENT if lane.persistent else DeliveryMode.NOT_PERSISTENT
        message = aio_pika.Message(body, content_type="application/json", delivery_mode=mode)
        try:
            underlay = await channel.get_underlay_channel()
            await underlay.basic_publish(
                body,
                exchange=lane.exchange,
                routing_key=lane.routing_key,
                properties=message.properties,
                mandatory=True,
                timeout=CONFIRM_TIMEOUT_SECONDS,
            )
        except DeliveryError as error:
            return UnroutableError(f"no queue for {lane.routing_key or lane.exchange}: {error}")
        except ChannelInvalidStateError:
            return NotPublishedError("the channel to the broker is closed")
        except (AMQPError, OSError, TimeoutError, RuntimeError, asyncio.CancelledError) as error:
            return OutcomeUnknownError(f"no confirm from the broker: {error!r}")
        return None


def _take(waiting: _Waiting) -> list[tuple[bytes, _Parcel]]:
    parts = [waiting.popleft()]
    size = len(parts[0][0])
    while waiting and len(parts) < FRAME_ENVELOPES_MAX and size + len(waiting[0][0]) < FRAME_BYTES_MAX:
        parts.append(waiting.popleft())
        size += len(parts[-1][0]) + 1
    return parts
