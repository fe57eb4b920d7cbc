"""Who may use the handles, and how often anybody may ask."""

import pytest

from deploy.sandbox.horizon.endpoints.control import is_loopback
from deploy.sandbox.horizon.rate import BURST, Limiter


@pytest.mark.parametrize(
    ("caller", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("", False),
        (None, False),
        ("localhost", False),
    ],
)
def test_the_handles_are_for_callers_of_this_machine(caller: str | None, *, is_local: bool) -> None:
    assert is_loopback(caller) is is_local


def test_a_burst_then_one_an_interval_and_each_address_by_itself() -> None:
    limiter = Limiter(per_hour=3_600)
    verdicts = [limiter.ask("one", 100.0) for _ in range(BURST + 2)]
    assert [verdict.is_allowed for verdict in verdicts] == [True] * (BURST + 1) + [False]
    assert [verdicts[0].remaining, verdicts[-2].remaining] == [BURST, 0]
    assert verdicts[-1].headers()["Retry-After"] == "1"
    assert limiter.ask("other", 100.0).is_allowed
    assert limiter.ask("one", 101.0).is_allowed
    assert not limiter.ask("one", 101.5).is_allowed
    assert limiter.ask("one", 5_000.0).remaining == BURST
