"""A part of a long run that does not come to its end says why, and what it was at."""

import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest

from tests.chaos.parts import DiedError, in_a_process


def _fine() -> int:
    return 7


def _raises() -> int:
    print("at play")
    raise ValueError


def _is_killed() -> int:
    sys.stderr.write("at play\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def _at_play() -> int:
    print("at play", flush=True)
    threading.Event().wait()
    return 0


def test_what_a_part_found_is_handed_back() -> None:
    assert in_a_process(_fine, seconds=30) == 7


@pytest.mark.parametrize(
    ("work", "seconds", "code", "said"),
    [(_raises, 30, 1, "ValueError"), (_is_killed, 30, -9, "at play"), (_at_play, 0.5, 1, "_at_play")],
)
def test_a_part_that_dies_tells_its_exit_code_and_what_it_said(
    work: Callable[[], int], seconds: float, code: int, said: str
) -> None:
    with pytest.raises(DiedError, match="at play") as died:
        in_a_process(work, seconds=seconds)
    assert f"exit code {code}" in str(died.value)
    assert said in str(died.value)
