import asyncio
from collections.abc import Callable
from typing import cast

from pamqp import commands

from deploy.local.amqp import wire
from deploy.local.amqp.errors import CONNECTION_FORCED, FRAME_ERROR, ConnectionFault
from deploy.local.amqp.handshake import Handshake, greeting
from deploy.local.amqp.memory import MemoryGauge
from deploy.local.amqp.session import Session

WRITE_HIGH_WATER_BYTES = 1024 * 1024
HANDSHAKE_SECONDS = 10
CLOSE_SECONDS = 2
TICKS_OF_SILENCE = 4
"""A heartbeat tick is half an interval, so a peer is dead after two silent intervals."""

_PREFIX_SIZE = 7


class BrokerProtocol(asyncio.Protocol):
    """One client's socket: cuts frames, gathers a turn's output into one write, and keeps both directions bounded."""

    def __init__(
        self,
        *,
        handshake: Handshake,
        gauge: MemoryGauge,
        loop: asyncio.AbstractEventLoop,
        connections: set["BrokerProtocol"],
        on_lost: Callable[[], None],
    ) -> None:
        self.frame_max = wire.FRAME_MAX
        self.is_writable = True
        self.notifies_cancel = False
        self._session = Session(self, handshake)
        self._handshake = handshake
        self._gauge = gauge
        self._loop = loop
        self._connections = connections
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._greeted = False
        self._buffer = b""
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._emitters: list[Callable[[], None]] = []
        self._flush_is_due = False
        self._transport_is_full = False
        self._waits_for_memory = False
        self._heard = False
        self._spoke = False
        self._silent_ticks = 0
        self._timer: asyncio.TimerHandle | None = None

    # --- asyncio.Protocol -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        self._connections.add(self)
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, self.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        self._connections.discard(self)
        self._transport = None
        self._out.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._session.end()
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._buffer = self._buffer + data if self._buffer else data
        self._read_buffer()

    def pause_writing(self) -> None:
        self._transport_is_full = True
        self.is_writable = False

    def resume_writing(self) -> None:
        self._transport_is_full = False
        self._open_outlet()

    # --- reading --------------------------------------------------------------------------------------------------------

    def _read_buffer(self) -> None:
        try:
            if not self._greeted and not self._greet():
                return
            self._cut_frames()
        except ConnectionFault as fault:
            self._buffer = b""
            self.refuse(fault)

    def _greet(self) -> bool:
        size = len(wire.PROTOCOL_HEADER)
        if not wire.PROTOCOL_HEADER.startswith(self._buffer[:size]):
            self.send(wire.PROTOCOL_HEADER)
            self.finish()
            return False
        if len(self._buffer) < size:
            return False
        self._greeted = True
        self._buffer = self._buffer[size:]
        self.send(greeting())
        return True

    def _cut_frames(self) -> None:
        data = self._buffer
        position, length = 0, len(data)
        limit = self.frame_max - wire.FRAME_OVERHEAD
        receive = self._session.receive
        while length - position >= _PREFIX_SIZE and not self._waits_for_memory:
            kind, number, size = wire.FRAME_PREFIX.unpack_from(data, position)
            if size > limit:
                raise ConnectionFault(FRAME_ERROR, f"frame of {size} octets is larger than the negotiated {limit}")
            start = position + _PREFIX_SIZE
            end = start + size
            if end >= length:
                break
            if data[end] != wire.FRAME_END_OCTET:
                raise ConnectionFault(FRAME_ERROR, "frame does not end with its end octet")
            position = end + 1
            receive(kind, number, data[start:end])
        self._buffer = data[position:] if position else data

    # --- memory ---------------------------------------------------------------------------------------------------------

    def published(self) -> None:
        if self._gauge.alarmed and not self._waits_for_memory and self._transport is not None:
            self._waits_for_memory = True
            self._transport.pause_reading()
            self._gauge.when_clear(self._schedule_resume)
            if self._handshake.hears_blocked:
                self.send(wire.method_frame(0, commands.Connection.Blocked("low on memory")))

    def _schedule_resume(self) -> None:
        self._loop.call_soon(self._memory_is_back)

    def _memory_is_back(self) -> None:
        self._waits_for_memory = False
        if self._transport is None:
            return
        self._transport.resume_reading()
        if self._handshake.hears_blocked:
            self.send(wire.method_frame(0, commands.Connection.Unblocked()))
        self._read_buffer()

    # --- writing --------------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > WRITE_HIGH_WATER_BYTES:
            self.is_writable = False
        self._want_flush()

    def before_flush(self, emit: Callable[[], None]) -> None:
        self._emitters.append(emit)
        self._want_flush()

    def _want_flush(self) -> None:
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        emitters, self._emitters = self._emitters, []
        for emit in emitters:
            emit()
        self._flush_is_due = False
        out, self._out = self._out, []
        was_full = self._out_bytes > WRITE_HIGH_WATER_BYTES
        self._out_bytes = 0
        if self._transport is None or not out:
            return
        self._spoke = True
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if was_full:
            self._open_outlet()

    def _open_outlet(self) -> None:
        if not self._transport_is_full:
            self.is_writable = True
            self._session.wake_consumers()

    # --- life -----------------------------------------------------------------------------------------------------------

    def begin(self, *, heartbeat_seconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if heartbeat_seconds:
            self._beat(heartbeat_seconds / 2)

    def _beat(self, tick_seconds: float) -> None:
        if not self._spoke and self._transport is not None:
            self._transport.write(wire.HEARTBEAT_FRAME)
        self._spoke = False
        # A connection that waits for memory is not read, so nothing can be heard from it.
        self._silent_ticks = 0 if self._heard or self._waits_for_memory else self._silent_ticks + 1
        self._heard = False
        if self._silent_ticks >= TICKS_OF_SILENCE:
            self.abort()
        else:
            self._timer = self._loop.call_later(tick_seconds, self._beat, tick_seconds)

    def refuse(self, fault: ConnectionFault) -> None:
        self._session.refuse(fault)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_SECONDS, self.abort)

    def shut_down(self) -> None:
        """The broker is stopping: says so and hangs up without waiting for an answer."""
        self._session.refuse(ConnectionFault(CONNECTION_FORCED, "broker is shutting down"))
        self.finish()

    def finish(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
