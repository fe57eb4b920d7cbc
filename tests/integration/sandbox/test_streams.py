"""Server-sent events: from where, in order, without a gap, and on again after a break."""

import asyncio

import pytest
from stellar_sdk import Asset, Payment

from tests.support.chain import address
from tests.support.horizon import Sandbox
from tests.support.sse import events


def pay(amount: int) -> Payment:
    return Payment(address("bob"), Asset.native(), str(amount))


async def test_a_stream_begins_with_what_is_there_and_goes_on_with_what_comes(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", pay(1)))
    path = f"/accounts/{address('bob')}/payments"
    async with asyncio.timeout(20), events(chain.http, path, cursor="0") as stream:
        assert [each["type"] for each in await stream.take(2)] == ["create_account", "payment"]
        for amount in (2, 3):
            await chain.apply(chain.build("ann", pay(amount)))
            assert [each["amount"] for each in await stream.take(1)] == [f"{amount}.0000000"]
        assert stream.opened
        assert stream.ids == [each["paging_token"] for each in await chain.records(path)]


async def test_now_is_after_everything_that_is_there(chain: Sandbox) -> None:
    async with asyncio.timeout(20), events(chain.http, "/payments", cursor="now") as stream:
        taking = asyncio.create_task(stream.take(1))
        while not stream.opened:
            await asyncio.sleep(0)
        await chain.apply(chain.build("ann", pay(9)))
        assert [each["amount"] for each in await taking] == ["9.0000000"]


async def test_a_stream_that_broke_goes_on_after_its_last_event(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", *(pay(amount) for amount in range(1, 6))))
    seen: list[str] = []
    last: str | None = None
    path = f"/accounts/{address('bob')}/payments"
    async with asyncio.timeout(20):
        while len(seen) < 6:
            async with events(chain.http, path, last_event_id=last, cursor="0") as stream:
                seen += [each["id"] for each in await stream.take(2)]
                last = stream.ids[-1]
    assert seen == [each["id"] for each in await chain.records(path)]


async def test_a_stream_takes_its_leave_when_its_limit_is_reached(chain: Sandbox) -> None:
    async with asyncio.timeout(20), events(chain.http, "/payments", cursor="0", limit=2) as stream:
        assert len([each async for each in stream]) == 2
        assert stream.closed


@pytest.mark.parametrize("path", ["/ledgers", "/transactions", "/operations", "/effects"])
async def test_everything_that_happens_can_be_followed(chain: Sandbox, path: str) -> None:
    async with asyncio.timeout(20), events(chain.http, path, cursor="0", limit=200) as stream:
        known = await chain.records(path, limit=200)
        assert await stream.take(len(known)) == known
        await chain.apply(chain.build("ann", pay(1)))
        (new, *_) = await chain.records(path, cursor=known[-1]["paging_token"])
        assert await stream.take(1) == [new]


async def test_an_account_is_sent_again_when_it_is_different(chain: Sandbox) -> None:
    async with asyncio.timeout(20), events(chain.http, f"/accounts/{address('ann')}") as stream:
        (before,) = await stream.take(1)
        await chain.node.close()
        await chain.apply(chain.build("ann", pay(1)))
        (after,) = await stream.take(1)
    assert int(after["sequence"]) == int(before["sequence"]) + 1


async def test_what_cannot_be_streamed_is_a_problem(chain: Sandbox) -> None:
    for path in (f"/accounts/{address('nobody')}/payments", "/payments?cursor=x", f"/accounts/{address('nobody')}"):
        answer = await chain.http.get(path, headers={"Accept": "text/event-stream"})
        assert answer.headers["content-type"].startswith("application/problem+json")


async def test_a_caller_that_leaves_is_forgotten(chain: Sandbox) -> None:
    for _ in range(5):
        async with events(chain.http, "/payments", cursor="0") as stream:
            await stream.take(1)
    await chain.apply(chain.build("ann", pay(1)))
    await chain.node.close()
    assert len(await chain.records("/payments", limit=200)) == 4
