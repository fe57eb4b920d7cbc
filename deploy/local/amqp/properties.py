"""Edits of a content header's raw property list that leave every untouched property byte for byte as the publisher sent it."""

import struct
from collections.abc import Iterable

from pamqp import encode
from pamqp.common import FieldValue

HEADERS_BIT = 13
DELIVERY_MODE_BIT = 12
EXPIRATION_BIT = 8

PERSISTENT = b"\x02"

_LOWEST_BIT = 2
_OCTET_BITS = (DELIVERY_MODE_BIT, 11)
_TIMESTAMP_BIT = 6
_FIXED_SIZES = {
    **dict.fromkeys(b"tbB", 1),
    **dict.fromkeys(b"sUu", 2),
    **dict.fromkeys(b"Iif", 4),
    **dict.fromkeys(b"lLdT", 8),
    ord("D"): 5,
    ord("V"): 0,
}
_SIZED = frozenset(b"SxAF")


def flags(raw: bytes) -> int:
    """The first word of property flags; raises ValueError when it is missing or continued in a second word."""
    if len(raw) < 2:  # noqa: PLR2004 - a flag word is two octets
        raise ValueError("property flags are truncated")
    word = int.from_bytes(raw[:2], "big")
    if word & 1:
        raise ValueError("a second word of property flags is not defined for basic")
    return word


def split(raw: bytes) -> dict[int, bytes]:
    """Each present property's raw octets by its flag bit, in wire order; raises ValueError on malformed input."""
    word = flags(raw)
    position = 2
    found: dict[int, bytes] = {}
    for bit in range(15, _LOWEST_BIT - 1, -1):
        if not word >> bit & 1:
            continue
        end = position + _size(raw, position, bit)
        if end > len(raw):
            raise ValueError("property list is truncated")
        found[bit] = raw[position:end]
        position = end
    if position != len(raw):
        raise ValueError("octets after the property list")
    return found


def _size(raw: bytes, position: int, bit: int) -> int:
    if bit in _OCTET_BITS:
        return 1
    if bit == _TIMESTAMP_BIT:
        return 8
    if bit == HEADERS_BIT:
        return 4 + int.from_bytes(raw[position : position + 4], "big")
    return 1 + (raw[position] if position < len(raw) else 0)


def join(parts: dict[int, bytes]) -> bytes:
    word = 0
    for bit in parts:
        word |= 1 << bit
    return word.to_bytes(2, "big") + b"".join(parts[bit] for bit in sorted(parts, reverse=True))


def is_persistent(raw: bytes) -> bool:
    return split(raw).get(DELIVERY_MODE_BIT) == PERSISTENT


def expiration_ms(raw: bytes) -> int | None:
    """The per-message TTL of a publish, after a check of the whole list, so that nobody downstream meets a malformed one.

    Raises:
        ValueError: the list is malformed, or the expiration is not a number of milliseconds.
    """
    parts = split(raw)
    if HEADERS_BIT in parts:
        header_fields(parts)
    if EXPIRATION_BIT not in parts:
        return None
    text = parts[EXPIRATION_BIT][1:].decode()
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"invalid expiration {text!r}")
    return int(text)


def header_fields(parts: dict[int, bytes]) -> dict[str, bytes]:
    """Header name to its value's raw octets (type octet included); raises ValueError on malformed tables."""
    table = parts.get(HEADERS_BIT, b"\x00\x00\x00\x00")
    position = 4
    fields: dict[str, bytes] = {}
    try:
        while position < len(table):
            start = position + 1 + table[position]
            name = table[position + 1 : start].decode()
            position = start + 1 + _value_size(table, start)
            fields[name] = table[start:position]
    except (IndexError, struct.error) as error:
        raise ValueError("header table is truncated") from error
    if position > len(table):
        raise ValueError("header table is truncated")
    return fields


def _value_size(table: bytes, start: int) -> int:
    kind = table[start]
    if kind in _SIZED:
        (length,) = struct.unpack_from(">I", table, start + 1)
        return 4 + int(length)
    if kind not in _FIXED_SIZES:
        raise ValueError(f"unknown field type {chr(kind)!r}")
    return _FIXED_SIZES[kind]


def with_headers(parts: dict[int, bytes], fields: dict[str, bytes]) -> dict[int, bytes]:
    """The property list with exactly these header fields."""
    table = b"".join(_named(name, value) for name, value in fields.items())
    return {**parts, HEADERS_BIT: len(table).to_bytes(4, "big") + table}


def _named(name: str, value: bytes) -> bytes:
    encoded = name.encode()
    return bytes((len(encoded),)) + encoded + value


def append_header(raw: bytes, name: str, value: bytes) -> bytes:
    """The property list with one more header, without a look at the others; the name must not be there yet."""
    word = int.from_bytes(raw[:2], "big")
    position = 2
    for bit in (15, 14):  # content type and content encoding stand before the headers
        if word >> bit & 1:
            position += 1 + raw[position]
    added = _named(name, value)
    if not word >> HEADERS_BIT & 1:
        word |= 1 << HEADERS_BIT
        return word.to_bytes(2, "big") + raw[2:position] + len(added).to_bytes(4, "big") + added + raw[position:]
    size = int.from_bytes(raw[position : position + 4], "big")
    end = position + 4 + size
    return raw[:position] + (size + len(added)).to_bytes(4, "big") + raw[position + 4 : end] + added + raw[end:]


def field(value: FieldValue) -> bytes:
    return encode.encode_table_value(value)


def long_field(value: int) -> bytes:
    """A 64-bit signed field, the type RabbitMQ gives its counters."""
    return b"l" + value.to_bytes(8, "big", signed=True)


def array_field(tables: Iterable[dict[str, bytes]]) -> bytes:
    """A field array of tables whose values are raw already."""
    encoded = b""
    for table in tables:
        content = b"".join(_named(name, value) for name, value in table.items())
        encoded += b"F" + len(content).to_bytes(4, "big") + content
    return b"A" + len(encoded).to_bytes(4, "big") + encoded
