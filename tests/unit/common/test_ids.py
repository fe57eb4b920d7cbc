"""Ids sort by time, and a derived id is the same whenever it is derived."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.kernel.ids import derive_id, looks_like_id, new_id, sibling_id


def test_later_ids_sort_after_earlier_ones_across_milliseconds() -> None:
    made = [new_id("ord") for _ in range(5_000)]
    milliseconds = [text[4:14] for text in made]
    assert milliseconds == sorted(milliseconds)
    assert len(set(made)) == len(made)


def test_an_id_is_its_prefix_and_26_digits() -> None:
    prefix, _, digits = new_id("usr").partition("_")
    assert (prefix, len(digits)) == ("usr", 26)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_derived_ids_are_equal_only_for_equal_parts(parts: list[str], others: list[str]) -> None:
    assert derive_id("jrn", *parts) == derive_id("jrn", *parts)
    if "\x1f".join(parts) != "\x1f".join(others):
        assert derive_id("jrn", *parts) != derive_id("jrn", *others)


def test_a_sibling_has_the_same_digits_under_its_own_prefix() -> None:
    order_id = new_id("ord")
    assert sibling_id("esc", order_id) == "esc_" + order_id[4:]
    assert sibling_id("ord", sibling_id("dsp", order_id)) == order_id


@pytest.mark.parametrize(
    "text", ["", "usr", "usr_", "USR_abc", "usr_abc def", "usr_ä", "usr_" + "a" * 65, "usr_abc\n", "../usr_a"]
)
def test_what_could_not_be_an_id_is_told_apart(text: str) -> None:
    assert not looks_like_id(text)


def test_the_ids_of_the_reference_look_like_ids() -> None:
    assert all(map(looks_like_id, ["usr_abc123", "ord_abc123", "esc_01JKL", "wth_xyz789", new_id("wh")]))
