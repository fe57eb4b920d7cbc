import struct
from typing import Protocol

from pamqp import commands, exceptions, frame

from deploy.local.amqp import wire
from deploy.local.amqp.channel import Channel, Link
from deploy.local.amqp.content import Incoming
from deploy.local.amqp.errors import (
    CHANNEL_ERROR,
    COMMAND_INVALID,
    FRAME_ERROR,
    NOT_IMPLEMENTED,
    SYNTAX_ERROR,
    UNEXPECTED_FRAME,
    ChannelError,
    ConnectionFault,
)
from deploy.local.amqp.handshake import Handshake
from deploy.local.amqp.methods import HANDLERS
from deploy.local.amqp.vhost import VirtualHost


class Peer(Link, Protocol):
    """What a session needs of its transport."""

    def begin(self, *, heartbeat_seconds: int) -> None:
        """The connection is open; heartbeats start."""

    def published(self) -> None:
        """A message was taken; the transport stops reading when memory is short."""

    def finish(self) -> None:
        """Send what is waiting and hang up."""


class Session:
    """One connection's protocol state: frames in, effects on channels and vhost out."""

    def __init__(self, peer: Peer, handshake: Handshake) -> None:
        self._peer = peer
        self._handshake = handshake
        self._vhost: VirtualHost | None = None
        self._channels: dict[int, Channel] = {}
        self._incoming: dict[int, Incoming] = {}
        self._is_closing = False

    def receive(self, kind: int, number: int, payload: bytes) -> None:
        """One complete frame; raises ConnectionFault when the peer broke the protocol."""
        if kind == wire.HEARTBEAT or self._is_closing:
            if self._is_closing and payload[:4] == b"\x00\x0a\x00\x33":
                self._peer.finish()
            return
        channel = self._channels.get(number)
        try:
            if kind == wire.METHOD:
                self._method(number, channel, payload)
            elif channel is None:
                raise ConnectionFault(CHANNEL_ERROR, f"content frame on channel {number}, which is not open")
            elif not channel.is_closing:
                self._content(channel, kind, payload)
        except ChannelError as error:
            if channel is None:
                raise ConnectionFault(error.code, error.text) from error
            self._close_channel(channel, error, payload if kind == wire.METHOD else b"\x00\x3c\x00\x28")
        except (struct.error, exceptions.PAMQPException, ValueError, IndexError) as error:
            raise ConnectionFault(SYNTAX_ERROR, f"malformed frame: {error}") from error

    # --- content --------------------------------------------------------------------------------------------------------

    def _content(self, channel: Channel, kind: int, payload: bytes) -> None:
        incoming = self._incoming.get(channel.number)
        if incoming is None:
            raise ConnectionFault(UNEXPECTED_FRAME, "content frame without a method")
        if kind == wire.HEADER:
            complete = incoming.add_header(payload)
        elif kind == wire.BODY:
            complete = incoming.add_body(payload)
        else:
            raise ConnectionFault(FRAME_ERROR, f"unknown frame type {kind}")
        if complete:
            del self._incoming[channel.number]
            channel.publish(incoming.address, incoming.properties or b"", incoming.body(), mandatory=incoming.is_mandatory)
            self._peer.published()

    # --- methods --------------------------------------------------------------------------------------------------------

    def _method(self, number: int, channel: Channel | None, payload: bytes) -> None:
        (method_id,) = wire.METHOD_ID.unpack_from(payload)
        if channel is not None and not channel.is_closing:
            if number in self._incoming:
                raise ConnectionFault(UNEXPECTED_FRAME, "method frame inside a message's content")
            if method_id == wire.PUBLISH:
                self._begin_publish(channel, payload)
                return
            if method_id == wire.ACK:
                tag, multiple = wire.parse_ack(payload)
                channel.ack(tag, multiple=multiple)
                return
        method = _decode(number, payload)
        if number == 0:
            self._connection_method(method)
        elif self._vhost is None:
            raise ConnectionFault(COMMAND_INVALID, f"{method.name} before the connection is open")
        elif channel is None:
            self._open_channel(number, method, self._vhost)
        else:
            self._channel_method(channel, method)

    def _begin_publish(self, channel: Channel, payload: bytes) -> None:
        incoming = Incoming(payload)
        if incoming.is_immediate:
            raise ChannelError(NOT_IMPLEMENTED, "basic.publish: immediate is not supported")
        self._incoming[channel.number] = incoming

    def _connection_method(self, method: frame.FrameTypes) -> None:
        if isinstance(method, commands.Connection.Close):
            self.end()
            self._peer.send(wire.method_frame(0, commands.Connection.CloseOk()))
            self._peer.finish()
            return
        if self._vhost is not None:
            raise ConnectionFault(COMMAND_INVALID, f"{method.name} is not expected on an open connection")
        answer = self._handshake.advance(method)
        if answer is not None:
            self._peer.send(wire.method_frame(0, answer))
        if self._handshake.vhost is not None:
            self._vhost = self._handshake.vhost
            self._peer.frame_max = self._handshake.frame_max
            self._peer.notifies_cancel = self._handshake.notifies_cancel
            self._peer.begin(heartbeat_seconds=self._handshake.heartbeat_seconds)

    def _open_channel(self, number: int, method: frame.FrameTypes, vhost: VirtualHost) -> None:
        if isinstance(method, commands.Channel.CloseOk):
            return  # both sides closed it at once
        if not isinstance(method, commands.Channel.Open):
            raise ConnectionFault(CHANNEL_ERROR, f"{method.name} on channel {number}, which is not open")
        self._channels[number] = Channel(number, self._peer, vhost)
        self._peer.send(wire.method_frame(number, commands.Channel.OpenOk()))

    def _channel_method(self, channel: Channel, method: frame.FrameTypes) -> None:
        if isinstance(method, commands.Channel.Close | commands.Channel.CloseOk):
            if not channel.is_closing:
                channel.flush_confirms()
                channel.close()
            self._channels.pop(channel.number, None)
            if isinstance(method, commands.Channel.Close):
                self._peer.send(wire.method_frame(channel.number, commands.Channel.CloseOk()))
            return
        if channel.is_closing:
            return
        handler = HANDLERS.get(method.name)
        if handler is None:
            raise ChannelError(NOT_IMPLEMENTED, f"{method.name} is not supported by the embedded broker")
        answer = handler(channel, method, self)
        if answer is not None:
            self._peer.send(wire.method_frame(channel.number, answer))

    def _close_channel(self, channel: Channel, error: ChannelError, payload: bytes) -> None:
        channel.flush_confirms()
        self._incoming.pop(channel.number, None)
        class_id, method_id = struct.unpack_from(">HH", payload)
        close = commands.Channel.Close(error.code, _short(error.text), class_id, method_id)
        self._peer.send(wire.method_frame(channel.number, close))
        channel.close()

    # --- the end --------------------------------------------------------------------------------------------------------

    def refuse(self, fault: ConnectionFault) -> None:
        """Tells the peer why the connection ends and waits for its close-ok."""
        self.end()
        self._is_closing = True
        self._peer.send(wire.method_frame(0, commands.Connection.Close(fault.code, _short(fault.text), 0, 0)))

    def end(self) -> None:
        """Gives everything back: exclusive queues go first, so that nothing is requeued into them."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.is_closing = True
            channel.flush_confirms()
        if self._vhost is not None:
            self._vhost.release_owned(self)
        for channel in channels.values():
            channel.close()

    def wake_consumers(self) -> None:
        for channel in list(self._channels.values()):
            channel.wake_consumers()


def _decode(number: int, payload: bytes) -> frame.FrameTypes:
    _, _, method = frame.unmarshal(wire.raw_method(number, payload))
    return method


def _short(text: str) -> str:
    """A reply text is a short string: at most 255 octets."""
    return text.encode()[:255].decode(errors="ignore")
