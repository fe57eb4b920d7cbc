"""A table of transitions refuses what is not in it, and draws itself."""

from enum import StrEnum

from libs.common.kernel.transitions import Transitions


class Door(StrEnum):
    OPEN = "OPEN"
    SHUT = "SHUT"
    LOCKED = "LOCKED"


class Hand(StrEnum):
    PUSH = "push"
    PULL = "pull"
    TURN = "turn"


DOORS = Transitions(
    Door.OPEN, {(Door.OPEN, Hand.PUSH): Door.SHUT, (Door.SHUT, Hand.PULL): Door.OPEN, (Door.SHUT, Hand.TURN): Door.LOCKED}
)


def test_what_is_in_the_table_leads_on_and_all_else_is_refused() -> None:
    assert DOORS.after(Door.OPEN, Hand.PUSH) == Door.SHUT
    assert DOORS.after(Door.LOCKED, Hand.PULL) is None
    assert DOORS.allowing(Hand.PULL) == [Door.SHUT]


def test_it_draws_each_arrow_and_its_ends() -> None:
    assert DOORS.mermaid().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> OPEN",
        "    OPEN --> SHUT: push",
        "    SHUT --> OPEN: pull",
        "    SHUT --> LOCKED: turn",
        "    LOCKED --> [*]",
    ]
