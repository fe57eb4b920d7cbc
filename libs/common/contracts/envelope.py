"""What travels on the bus: frames of envelopes, each with one message inside."""

from typing import Any, Final

import msgspec

from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant

FRAME_ENVELOPES_MAX: Final = 200
FRAME_BYTES_MAX: Final = 256 * 1024
NOTHING: Final = msgspec.Raw(b"null")


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One message with what a consumer must know before it opens the body."""

    id: str
    """The message id: what an inbox knows it by. A retry carries the same one."""
    type: str
    tenant: Tenant
    body: msgspec.Raw
    version: int = 1
    reply_to: str = ""
    """Name of the queue that awaits the answer; empty when nobody does."""
    reference: str = ""
    """The asker's own note, given back with the reply."""
    deadline_ms: int = 0
    """Unix time in milliseconds after which the asker no longer waits; 0 for never."""
    attempts: int = 0
    """How often handling it failed for a reason of its own."""
    reason: str = ""
    """Why it was last retried or parked."""
    traceparent: str = ""


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The body of every domain event, already in the form that subscribers see."""

    aggregate: str
    """What it happened to, for example `order:ord_…`; `sequence` counts 1, 2, 3 … on it."""
    sequence: int
    occurred_at: str
    data: msgspec.Raw
    user_ids: tuple[str, ...] = ()
    """The users it concerns: what a stream filters by."""


def _nothing() -> msgspec.Raw:
    return NOTHING


class Reply(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The body of every answer: a result or a refusal, never both."""

    result: msgspec.Raw = msgspec.field(default_factory=_nothing)
    refusal: Refusal | None = None
    before: msgspec.Raw = msgspec.field(default_factory=_nothing)
    """What the command changed, as it was before: for the record of who changed what; `null` when it changed nothing."""


_encode = msgspec.json.Encoder(decimal_format="string").encode
_envelope: msgspec.json.Decoder[Envelope] = msgspec.json.Decoder(Envelope)
_envelopes: msgspec.json.Decoder[list[Envelope]] = msgspec.json.Decoder(list[Envelope])
_raws: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_reply: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)

REPLY_TYPE: Final = "Reply"


def encode(message: object) -> bytes:
    """Write a message or an envelope as JSON."""
    return _encode(message)


def raw(message: object) -> msgspec.Raw:
    """Write a message as the body of an envelope."""
    return msgspec.Raw(_encode(message))


def frame(envelopes: list[bytes]) -> bytes:
    """Put encoded envelopes into one bus message."""
    return b"[" + b",".join(envelopes) + b"]"


def unframe(body: bytes) -> tuple[list[Envelope], list[tuple[bytes, str]]]:
    """Take a bus message apart: the envelopes, and what could not be read with the reason.

    One bad envelope never spoils its neighbours; a body that is no frame at all comes back whole as one bad part.
    """
    try:
        return _envelopes.decode(body), []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _unframe_one_by_one(body)


def _unframe_one_by_one(body: bytes) -> tuple[list[Envelope], list[tuple[bytes, str]]]:
    try:
        parts = _raws.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return [], [(body, f"not a frame: {error}")]
    good: list[Envelope] = []
    bad: list[tuple[bytes, str]] = []
    for part in parts:
        try:
            good.append(_envelope.decode(part))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            bad.append((bytes(part), f"not an envelope: {error}"))
    return good, bad


def reply_body(outcome: object, before: object = None) -> bytes:
    """Write a result or a refusal as the body of a reply, and what a result changed as it was before."""
    if isinstance(outcome, Refusal):
        return _encode(Reply(refusal=outcome))
    return _encode(Reply(result=raw(outcome), before=NOTHING if before is None else raw(before)))


def reply_to(envelope: Envelope, body: bytes) -> bytes:
    """Encode the envelope that answers a message; its id is the message's own with `.reply` behind it."""
    return _encode(
        Envelope(
            id=f"{envelope.id}.reply",
            type=REPLY_TYPE,
            tenant=envelope.tenant,
            body=msgspec.Raw(body),
            reference=envelope.reference,
            traceparent=envelope.traceparent,
        )
    )


def open_reply(envelope: Envelope) -> Reply:
    """Read the body of an answer."""
    return _reply.decode(envelope.body)


def builtins(message: object) -> dict[str, Any]:
    """Write a message as plain dictionaries, for error details and logs."""
    plain: dict[str, Any] = msgspec.to_builtins(message)
    return plain
