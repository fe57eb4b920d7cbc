"""How much an endpoint gets, and when it is left alone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.domain.attempts import LaneKey
from services.webhooks.domain.deliveries import DeliveryState, judge
from services.webhooks.domain.lanes import SLOW_SECONDS, START, Lane, LaneRoom, Room, fed, is_overloaded, retry_after, room

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120.0),
        (503, " 7 ", 7.0),
        (503, "Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        (503, "Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        (429, "999999999999", 86_400.0),
        (429, "Fri, 01 Jan 2077 12:00:00 GMT", 86_400.0),
        (429, "soon", 0.0),
        (429, "-5", 0.0),
        (429, "", 0.0),
        (429, None, 0.0),
        (500, "120", 0.0),
        (200, "120", 0.0),
        (None, "120", 0.0),
    ],
)
def test_a_receiver_may_ask_for_time(status: int | None, header: str | None, seconds: float) -> None:
    assert retry_after(status, header, NOW) == seconds


@given(st.text(max_size=60))
def test_nothing_in_the_header_does_harm(header: str) -> None:
    assert 0.0 <= retry_after(503, header, NOW) <= 86_400.0


def test_what_is_asked_for_makes_a_wait_longer_and_never_shorter() -> None:
    waits = [judge(503, attempts=1, waits=(5.0,), spread=0.0, asked_seconds=asked).wait_seconds for asked in (0.0, 1.0, 60.0)]
    assert waits == [5.0, 5.0, 60.0]
    assert judge(503, attempts=2, waits=(5.0,), spread=0.0, asked_seconds=60.0).state is DeliveryState.EXHAUSTED


def _run(lane: Lane, *endings: str) -> Lane:
    for number, ending in enumerate(endings):
        key = (f"whd_{number}", "token")
        lane.started[key] = 0.0
        lane.end(
            key,
            is_delivered=ending in ("good", "slow"),
            is_overload=ending == "overload",
            now=SLOW_SECONDS if ending == "slow" else 0.1,
        )
    return lane


@given(st.integers(1, 64), st.lists(st.sampled_from(["good", "bad", "overload"]), max_size=300))
def test_a_lane_stays_between_one_and_its_ceiling(ceiling: int, endings: list[str]) -> None:
    lane = _run(Lane(ceiling), *endings)
    assert 1 <= lane.limit <= ceiling
    assert lane.started == {}


def test_a_lane_grows_by_rounds_and_shrinks_by_halves() -> None:
    lane = _run(Lane(16), *["good"] * 200)
    assert lane.limit == 16
    assert _run(lane, "bad").limit == 16
    assert _run(lane, "overload", "overload").limit == 4
    assert int(_run(lane, *["good"] * 5).limit) == 5
    assert int(_run(lane, *["overload"] * 9).limit) == 1


def test_only_quick_answers_make_a_lane_grow_and_a_cap_makes_it_smaller() -> None:
    lane = _run(Lane(16), *["slow"] * 50)
    assert (lane.limit, lane.is_known, lane.is_proven) == (START, True, True)
    lane = _run(lane, *["good"] * 200)
    lane.cap(6)
    assert lane.limit == 6
    assert _run(lane, "overload").limit == 3
    assert _run(lane, *["good"] * 200).limit == 6


def test_a_look_at_aggregates_that_began_midway_goes_round_once_more() -> None:
    lane = Lane(16)
    looks = [("m", False), ("", False), ("k", True), ("p", True), ("", False), ("", False)]
    assert [lane.scanned(place, is_cut=is_cut) for place, is_cut in looks] == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("status", "expected"), [(None, True), (429, True), (503, True), (500, False), (404, False), (200, False)]
)
def test_what_says_that_fewer_would_be_better(status: int | None, expected: bool) -> None:  # noqa: FBT001
    assert is_overloaded(status) is expected


def test_the_last_quarter_is_for_those_who_answer_quickly() -> None:
    hung, quick, strange = Lane(16), _run(Lane(16), "good"), Lane(16)
    hung.is_proven = True  # it was well until now
    for number in range(60):
        hung.started[f"whd_{number}", "t"] = 0.0
    lanes = {("a", "hung"): hung, ("b", "quick"): quick, ("b", "strange"): strange}
    at_first = room(lanes, concurrency=80, tenant_max=80, ceiling=16, now=SLOW_SECONDS / 2)
    later = room(lanes, concurrency=80, tenant_max=80, ceiling=16, now=SLOW_SECONDS * 2)
    assert (at_first.slots, at_first.open_slots, at_first.new_slots) == (20, 20, 20)
    assert (later.slots, later.open_slots, later.new_slots, later.default) == (20, 0, 0, START)
    assert [later.lanes[key].is_quick for key in lanes] == [False, True, False]


QUIET, FULL, STRANGE, OTHERS = ("a", "quiet"), ("a", "full"), ("a", "strange"), ("b", "quiet")
_STAND = {
    QUIET: LaneRoom(limit=4, busy=1, is_quick=True, is_known=True, place=""),
    FULL: LaneRoom(limit=4, busy=4, is_quick=True, is_known=True, place=""),
    STRANGE: LaneRoom(limit=4, busy=0, is_quick=False, is_known=False, place=""),
    OTHERS: LaneRoom(limit=4, busy=0, is_quick=True, is_known=True, place=""),
}


@pytest.mark.parametrize(
    ("claimed", "slots", "tenant_max", "expected"),
    [
        ([], 10, 64, {QUIET, OTHERS}),
        ([QUIET, QUIET], 10, 64, {QUIET, OTHERS}),
        ([QUIET, QUIET, QUIET], 10, 64, {OTHERS}),
        ([OTHERS] * 4, 10, 64, {QUIET}),
        ([STRANGE], 10, 64, {QUIET, OTHERS}),
        ([QUIET], 1, 64, set()),
        ([QUIET], 10, 6, {OTHERS}),
    ],
    ids=[
        "nothing was due",
        "room was left",
        "room was not left",
        "another's was not",
        "unknown",
        "no slot left",
        "tenant's are full",
    ],
)
def test_who_took_less_than_there_was_room_for_has_nothing_more_due(
    claimed: list[LaneKey], slots: int, tenant_max: int, expected: set[LaneKey]
) -> None:
    given_room = Room(slots, open_slots=slots, new_slots=slots, lanes=_STAND, default=START, tenant_max=tenant_max)
    assert fed(given_room, claimed) == expected


@given(st.integers(1, 50), st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.floats(0, 3)), max_size=8))
def test_no_more_is_given_than_there_is(concurrency: int, lanes: list[tuple[bool, int, float]]) -> None:
    made = {}
    for number, (is_proven, busy, started) in enumerate(lanes):
        made["t", f"wh_{number}"] = lane = Lane(16)
        lane.is_proven = is_proven
        lane.started.update({(f"whd_{place}", "t"): started for place in range(busy)})
    given_room = room(made, concurrency=concurrency, tenant_max=concurrency, ceiling=16, now=3.0)
    assert 0 <= given_room.open_slots <= given_room.new_slots <= given_room.slots <= concurrency
