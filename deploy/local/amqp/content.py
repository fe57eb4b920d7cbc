from deploy.local.amqp import wire
from deploy.local.amqp.errors import PRECONDITION_FAILED, UNEXPECTED_FRAME, ChannelError, ConnectionFault

MESSAGE_MAX_BYTES = 128 * 1024 * 1024
"""RabbitMQ's default limit."""

_CONTENT_HEADER_SIZE = 14
_MANDATORY = 1
_IMMEDIATE = 2


class Incoming:
    """A publish between its method frame and its last body frame."""

    __slots__ = ("address", "flags", "missing", "parts", "properties")

    def __init__(self, method_payload: bytes) -> None:
        self.address = method_payload[6:-1]
        self.flags = method_payload[-1]
        self.properties: bytes | None = None
        self.parts: list[bytes] = []
        self.missing = 0

    @property
    def is_mandatory(self) -> bool:
        return bool(self.flags & _MANDATORY)

    @property
    def is_immediate(self) -> bool:
        return bool(self.flags & _IMMEDIATE)

    def add_header(self, payload: bytes) -> bool:
        """Whether the message is complete; raises ChannelError 406 when it is too large."""
        if self.properties is not None or len(payload) < _CONTENT_HEADER_SIZE:
            raise ConnectionFault(UNEXPECTED_FRAME, "malformed or repeated content header")
        (self.missing,) = wire.BODY_SIZE.unpack_from(payload, 4)
        if self.missing > MESSAGE_MAX_BYTES:
            raise ChannelError(PRECONDITION_FAILED, f"message size {self.missing} is larger than {MESSAGE_MAX_BYTES}")
        self.properties = payload[12:]
        return not self.missing

    def add_body(self, payload: bytes) -> bool:
        """Whether the message is complete."""
        if self.properties is None or len(payload) > self.missing:
            raise ConnectionFault(UNEXPECTED_FRAME, "content body without its header, or longer than announced")
        self.parts.append(payload)
        self.missing -= len(payload)
        return not self.missing

    def body(self) -> bytes:
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
