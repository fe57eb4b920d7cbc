import asyncio

import pytest

from services.gateway.handlers import health
from services.gateway.handlers.health import Prober


class Dependency:
    """Counts how often it is asked; answers when it may, unless it is broken."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_broken = False

    async def probe(self) -> None:
        self.asked += 1
        await self.may_answer.wait()
        if self.is_broken:
            raise OSError("gone")


async def statuses(prober: Prober) -> dict[str, str]:
    return {name: check.status for name, check in (await prober.look()).items()}


async def test_each_dependency_says_how_it_is_and_how_long_it_took() -> None:
    good, bad = Dependency(), Dependency()
    bad.is_broken = True
    checks = await Prober({"good": good.probe, "bad": bad.probe, "none": None}).look()
    assert {name: check.status for name, check in checks.items()} == {"good": "ok", "bad": "unreachable", "none": "disabled"}
    assert checks["good"].latency_ms is not None
    assert checks["bad"].latency_ms is checks["none"].latency_ms is None


async def test_what_does_not_answer_in_time_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    slow = Dependency()
    slow.may_answer.clear()
    assert await statuses(Prober({"slow": slow.probe})) == {"slow": "unreachable"}


async def test_many_who_ask_at_once_and_soon_again_share_one_probe() -> None:
    dependency = Dependency()
    dependency.may_answer.clear()
    prober = Prober({"it": dependency.probe})
    asking = [asyncio.create_task(statuses(prober)) for _ in range(50)]
    await asyncio.sleep(0)
    dependency.may_answer.set()
    assert await asyncio.gather(*asking) == [{"it": "ok"}] * 50
    assert await statuses(prober) == {"it": "ok"}
    assert dependency.asked == 1


async def test_nobody_waits_while_the_last_answer_is_fresh_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 5)
    monkeypatch.setattr(health, "STALE_SECONDS", 60)
    dependency = Dependency()
    prober = Prober({"it": dependency.probe})
    assert await statuses(prober) == {"it": "ok"}
    prober._checked_at -= 6
    dependency.may_answer.clear()
    dependency.is_broken = True
    for _ in range(5):
        assert await statuses(prober) == {"it": "ok"}
        await asyncio.sleep(0)
    assert dependency.asked == 2
    dependency.may_answer.set()
    while (await statuses(prober)) != {"it": "unreachable"}:
        await asyncio.sleep(0.01)
    prober._checked_at -= 61
    dependency.is_broken = False
    assert await statuses(prober) == {"it": "ok"}


async def test_a_round_under_way_ends_with_the_process() -> None:
    stuck = Dependency()
    stuck.may_answer.clear()
    prober = Prober({"it": stuck.probe})
    asking = asyncio.create_task(prober.look())
    while not stuck.asked:
        await asyncio.sleep(0)
    await prober.stop()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await prober.stop()
