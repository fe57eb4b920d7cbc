"""What the chaos of webhooks calls a breach: each of them is found, and nothing else is."""

import pytest

from tests.chaos.hooks import Seen, Wish, firsts, lost, out_of_order
from tests.chaos.hooks_load import Arrival

WANTED = {"per_aggregate": {"evt_1", "evt_2"}, "fifo": {"evt_2"}}
FIRST = Arrival("per_aggregate", "evt_1", "whd_1", "order:a", 1, b"one")
SECOND = Arrival("per_aggregate", "evt_2", "whd_2", "order:a", 2, b"two")
RARE = Arrival("fifo", "evt_2", "whd_3", "order:a", 2, b"two")


def test_all_that_was_wanted_has_arrived() -> None:
    assert lost([FIRST, SECOND, RARE, SECOND], WANTED) == []


@pytest.mark.parametrize(
    ("arrivals", "found"),
    [
        ([FIRST, RARE], ["per_aggregate: 1 events are lost"]),
        ([FIRST, SECOND], ["fifo: 1 events are lost"]),
        ([FIRST, SECOND, RARE, FIRST._replace(path="fifo")], ["fifo: 1 events came unasked"]),
    ],
)
def test_what_is_lost_or_unasked_is_found(arrivals: list[Arrival], found: list[str]) -> None:
    assert lost(arrivals, WANTED) == found


def test_a_copy_that_is_the_same_is_only_counted() -> None:
    assert firsts([FIRST, SECOND, FIRST]) == ([FIRST, SECOND], [])


@pytest.mark.parametrize("change", [{"delivery_id": "whd_9"}, {"digest": b"other"}])
def test_a_copy_that_differs_is_found(change: dict[str, str]) -> None:
    (_, differing) = firsts([FIRST, FIRST._replace(**change)])  # type: ignore[arg-type] # one field or the other
    assert differing == ["per_aggregate: a copy of evt_1 is not the same as the first"]


def test_order_is_that_of_the_aggregate_and_of_the_log() -> None:
    assert out_of_order([FIRST, SECOND, RARE], ["evt_2"]) == []
    assert out_of_order([SECOND, FIRST, RARE], ["evt_2"]) == ["order:a: 2 came after 0", "order:a: 1 came after 2"]
    assert out_of_order([RARE, RARE._replace(event_id="evt_1")], ["evt_1", "evt_2"]) == ["fifo: not in the order of the log"]


def test_too_many_copies_and_too_few_disconnects_are_breaches() -> None:
    wish = Wish(events=200, kills=1, followers=1, disconnects=5)
    assert Seen(wish, deliveries=200, duplicates=1, disconnects=5).breaches() == []
    assert len(Seen(wish, deliveries=200, duplicates=2, disconnects=4).breaches()) == 2
