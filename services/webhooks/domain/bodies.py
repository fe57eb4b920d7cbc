"""The body of a delivery: written once when the event is logged, and sent as those bytes ever after."""

from typing import Final

import msgspec


class EventBody(msgspec.Struct, frozen=True, gc=False):
    """What a subscriber receives; `sequence` counts 1, 2, 3 … on what the event happened to."""

    id: str
    type: str
    created_at: str
    sequence: int
    data: msgspec.Raw


_decoder: Final = msgspec.json.Decoder(EventBody)


def write_body(body: EventBody) -> bytes:
    """Write the bytes that are stored, signed and sent."""
    return msgspec.json.encode(body)


def read_body(stored: bytes) -> EventBody:
    """Read stored bytes back."""
    return _decoder.decode(stored)
