"""Server-Sent Events: what frames look like, and which of them a stream asked for."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from libs.common.contracts.event_filters import ALL, asks_for
from libs.common.contracts.replies.webhooks import StreamedEvent

SHOWN: Final = (
    'id: 42\nevent: escrow.released\ndata: {"id":"evt_abc123","type":"escrow.released","created_at":"2026-02-10T16:00:00.000Z",'
    '"sequence":7,"data":{"escrow_id":"esc_01JKL","status":"released"}}\n\n'
)
"""What documents show."""
PER_USER: Final = 1
"""Streams that a user may have open."""
_encode: Final = msgspec.json.encode


class Frame(NamedTuple):
    """An event as it is sent, made once for all who get it, and what they choose it by."""

    position: int
    type: str
    user_ids: tuple[str, ...]
    text: bytes


@dataclass(frozen=True, slots=True)
class Wish:
    """What a stream wants of its tenant's events."""

    events: tuple[str, ...] = (ALL,)
    """Names of events, `family.*` or `*`."""
    user_id: str = ""
    """Only what concerns this user; empty for all."""

    def covers(self, frame: Frame) -> bool:
        """Tell whether an event is wanted."""
        return asks_for(self.events, frame.type) and (not self.user_id or self.user_id in frame.user_ids)


def frame(event: StreamedEvent) -> Frame:
    """Write an event: `data` is what a webhook delivery carries, byte for byte."""
    text = b"id: %d\nevent: %b\ndata: %b\n\n" % (event.position, event.type.encode(), bytes(event.body))
    return Frame(event.position, event.type, event.user_ids, text)


def ping(position: int) -> bytes:
    """Write a sign of life that moves the client's cursor past what it did not ask for."""
    return b'id: %d\nevent: ping\ndata: {"position":%d}\n\n' % (position, position)


def reset(*, after: int, oldest: int) -> bytes:
    """Say that what came after a position is not kept any more, and that it goes on with the oldest event that is."""
    told = _encode({"after": after, "continues_with": oldest})
    return b"id: %d\nevent: reset\ndata: %b\n\n" % (oldest - 1, told)


def retry(milliseconds: int) -> bytes:
    """Say how long to wait before the next connection."""
    return b"retry: %d\n\n" % milliseconds
