"""How a page is made of what was found, and what a list refuses before it looks."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.queries.ledger import ListUsers
from libs.common.contracts.replies.common import Page
from libs.common.kernel.errors import Refusal
from libs.common.messaging.lists import LIMIT_MAX, PAGE_BYTES_MAX, page_of, read_bounds
from libs.common.persistence.pages import Bounds, every


class Item(msgspec.Struct):
    """Something in a list."""

    text: str


def _page(sizes: list[int], limit: int) -> Page[msgspec.Raw]:
    return page_of(((f"c{place}", Item("x" * size)) for place, size in enumerate(sizes)), limit=limit)


@pytest.mark.parametrize(
    ("found", "limit", "shown", "cursor"),
    [(0, 3, 0, None), (2, 3, 2, None), (3, 3, 3, None), (4, 3, 3, "c2"), (2, 1, 1, "c0")],
)
def test_one_item_more_than_fits_tells_that_there_is_more(found: int, limit: int, shown: int, cursor: str | None) -> None:
    page = _page([1] * found, limit)
    assert (len(page.data), page.has_more, page.next_cursor) == (shown, cursor is not None, cursor)


@given(st.lists(st.sampled_from([1, PAGE_BYTES_MAX // 3, PAGE_BYTES_MAX, 2 * PAGE_BYTES_MAX]), max_size=6))
def test_a_page_of_large_items_ends_early_but_is_never_empty(sizes: list[int]) -> None:
    page = _page(sizes, LIMIT_MAX)
    length = sum(len(bytes(item)) for item in page.data)
    assert length <= PAGE_BYTES_MAX or len(page.data) == 1
    assert bool(page.data) is bool(sizes)
    assert page.has_more is (len(page.data) < len(sizes))
    assert page.next_cursor == (f"c{len(page.data) - 1}" if page.has_more else None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"status": "LOST"}, "status"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_before": "2026-13-01"}, "created_before"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(query: dict[str, Any], field: str) -> None:
    refused = read_bounds(ListUsers(**query), status=("ACTIVE", "SUSPENDED"))
    assert isinstance(refused, Refusal)
    assert refused.details["fields"][0]["field"] == field


def test_an_instant_without_a_zone_is_utc() -> None:
    bounds = read_bounds(
        ListUsers(limit=7, cursor="usr_1", created_after="2026-01-31", created_before="2026-02-01T01:00:00+01:00")
    )
    assert bounds == Bounds(7, "usr_1", datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def test_a_scan_is_made_for_every_combination() -> None:
    assert every(a=(1, 2), b=("x",)) == [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]
    assert every() == [{}]
