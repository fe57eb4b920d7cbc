"""What is kept of a request, and the hash that shows whether anybody changed it afterwards."""

import hashlib
from datetime import datetime
from typing import Any, Final

import msgspec

_PACK: Final = msgspec.msgpack.Encoder(order="deterministic").encode
NOTHING: Final = msgspec.Raw(b"null")
"""What a record shows of a body that there was not, or that is not kept."""
GENESIS: Final = b"\0" * 32
"""The hash before the first batch."""

RESOURCES: Final = {
    "usr": "user",
    "ord": "order",
    "dsp": "dispute",
    "wh": "webhook",
    "key": "api_key",
    "wth": "withdrawal",
    "top": "topup",
}
"""Prefix of a resource's id → what it is."""


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request asked, as it is kept: secrets are not in it."""

    request_id: str
    method: str
    path: str
    operation: str = ""
    query: str = ""
    address: str = ""
    resource_id: str | None = None
    """What it is about, when its path says so; else what its answer names."""
    is_replay: bool = False
    """Its answer was an earlier request's: it did nothing itself."""
    document: msgspec.Raw = NOTHING
    service: str = ""
    """Who obeys its command; empty when the gateway does it itself."""
    message: str = "cmd"
    """The prefix under which the service knows the command's id."""
    success: int = 200
    """The status of a success."""
    is_secret: bool = False
    """Its answer holds a secret, and is not kept."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A request that has ended: everything that its hash covers, in this order. Instants are Unix microseconds."""

    tenant: str
    id: str
    api_key_id: str
    key: str | None
    about: bytes
    started_at: int
    completed_at: int
    status: int
    code: str
    resource_id: str | None
    before: bytes | None
    body: bytes | None


def record_hash(record: Record) -> bytes:
    """Hash a record: SHA-256 of its MessagePack form."""
    return hashlib.sha256(_PACK(record)).digest()


def batch_digest(record_hashes: list[bytes]) -> bytes:
    """Digest the records of a batch, whatever order they come in; Postgres makes the same one when it writes them."""
    return hashlib.sha256(b"".join(sorted(record_hashes))).digest()


def chained(previous: bytes, digest: bytes) -> bytes:
    """Hash a batch together with all before it."""
    return hashlib.sha256(previous + digest).digest()


def microseconds(instant: datetime) -> int:
    """Count an instant's microseconds since 1970, exactly."""
    seconds = int(instant.replace(microsecond=0).timestamp())
    return seconds * 1_000_000 + instant.microsecond


def resource_type(resource_id: str | None) -> str | None:
    """Name the kind of resource an id belongs to."""
    return None if resource_id is None else RESOURCES.get(resource_id.partition("_")[0])


def change_of(method: str, status: int) -> str:
    """Name the kind of change a request made: CREATE, UPDATE, DELETE or READ."""
    if method in ("GET", "HEAD"):
        return "READ"
    if method == "DELETE":
        return "DELETE"
    return "CREATE" if status == 201 else "UPDATE"  # noqa: PLR2004 - Created


def masked(document: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Cover what a reader of logs need not see: the local part of e-mail addresses."""
    if isinstance(document, dict):
        return {name: _covered(name, value) for name, value in document.items()}
    if isinstance(document, list):
        return [masked(item) for item in document]
    return document


def _covered(name: str, value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str) and name == "email":
        local, at, domain = value.rpartition("@")
        return f"{local[:1]}***{at}{domain}"
    return masked(value)
