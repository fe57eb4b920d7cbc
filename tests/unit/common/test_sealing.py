"""Sealed secrets open for their owner only, with any key of the ring."""

import os

import pytest

from libs.common.kernel.errors import InvariantViolationError
from libs.common.persistence.sealing import KeyRing

OLD, NEW = f"old:{'11' * 32}", f"new:{'22' * 32}"


def _ring(text: str) -> KeyRing:
    return KeyRing.parse(text, entropy=os.urandom)


def test_what_was_sealed_opens_for_its_owner() -> None:
    ring = _ring(NEW)
    sealed = ring.seal(b"secret", "acme:live", "wh_1")
    assert ring.open(sealed, "acme:live", "wh_1") == b"secret"
    assert b"secret" not in sealed


@pytest.mark.parametrize("owner", [("acme:live", "wh_2"), ("acme:test", "wh_1"), ("acme:live",), ("acme:livewh_1",)])
def test_nothing_opens_for_another_row(owner: tuple[str, ...]) -> None:
    ring = _ring(NEW)
    with pytest.raises(InvariantViolationError, match="does not belong"):
        ring.open(ring.seal(b"secret", "acme:live", "wh_1"), *owner)


def test_a_changed_byte_anywhere_is_noticed() -> None:
    ring = _ring(NEW)
    sealed = ring.seal(b"secret", "acme:live")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(InvariantViolationError):
            ring.open(bytes(changed), "acme:live")


def test_the_first_key_seals_and_every_key_opens() -> None:
    sealed_before = _ring(OLD).seal(b"secret", "x")
    both = _ring(f"{NEW}, {OLD}")
    assert both.open(sealed_before, "x") == b"secret"
    assert _ring(NEW).open(both.seal(b"secret", "x"), "x") == b"secret"
    with pytest.raises(InvariantViolationError, match="no key old"):
        _ring(NEW).open(sealed_before, "x")


def test_the_same_secret_is_never_sealed_the_same_way_twice() -> None:
    ring = _ring(NEW)
    assert ring.seal(b"secret", "x") != ring.seal(b"secret", "x")


@pytest.mark.parametrize("text", ["", "k", f"k:{'1' * 63}", f"k:{'g' * 64}", f"{OLD},", f"{OLD},{OLD}", f"k k:{'1' * 64}"])
def test_a_malformed_ring_is_refused_without_showing_a_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"key") as caught:
        _ring(text)
    assert "1111" not in str(caught.value)


def test_a_ring_never_prints_its_keys() -> None:
    assert "11" not in repr(_ring(OLD))
