"""Connections byte by byte: nothing cuts an answer off, whatever is sent and whenever the gateway stops."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.gateway.entrypoints.http import server as http
from services.gateway.entrypoints.http.server import Server
from tests.support.gateway import MASTER_KEY, FakeServices, Served
from tests.support.raw import Reply, request, wire
from tests.support.workers import until

pytestmark = pytest.mark.integration
KEY = f"Bearer {MASTER_KEY}"
ORDER = json.dumps({"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}).encode()
GET = request("GET", "/orders/ord_1", Authorization=KEY)
POST = request("POST", "/orders", ORDER, Authorization=KEY)
HEAD = b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: " + KEY.encode() + b"\r\n"
MEGABYTE = 1024 * 1024


@dataclass
class Stopping:
    """A second server in front of the same gateway, that a test may tell to stop."""

    port: int
    server: Server
    done: asyncio.Task[None]

    def stop(self) -> None:
        self.server.should_exit = True

    async def refuses(self) -> bool:
        try:
            async with wire(self.port):
                return False
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it was being closed when this one came
            return False


@contextlib.asynccontextmanager
async def stopping(served: Served, **seconds: float) -> AsyncIterator[Stopping]:
    server = Server(served.gateway.asgi, on_drain=served.gateway.drain, **seconds)
    listener = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    [address] = [each.getsockname() for each in listener.sockets]
    listener.close()
    await listener.wait_closed()
    server.config.host, server.config.port = address
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    yield Stopping(address[1], server, task)
    server.should_exit = True
    await task


async def heard(services: FakeServices, count: int = 1) -> None:
    async def arrived() -> bool:
        return len(services.heard) >= count

    await until(arrived)


def code_of(reply: Reply) -> str:
    error = reply.json()["error"]
    assert error["request_id"] == reply.headers["x-request-id"]
    code: str = error["code"]
    return code


async def test_an_idle_connection_is_given_one_more_answer_before_it_ends(served: Served, services: FakeServices) -> None:
    async with stopping(served, quiet_seconds=10) as it, wire(it.port) as used, wire(it.port) as fresh:
        first = await used.ask(GET)
        assert (first.status, first.is_last) == (200, False)
        it.stop()
        await until(it.refuses)
        for connection in (used, fresh):
            last = await connection.ask(GET)
            assert (last.status, last.is_last) == (200, True)
            assert await connection.end() == b""
        await asyncio.wait_for(it.done, 5)


async def test_idle_connections_are_closed_and_not_waited_for(served: Served, services: FakeServices) -> None:
    async with stopping(served, quiet_seconds=0.05) as it, wire(it.port) as used, wire(it.port) as fresh:
        await used.ask(GET)
        it.stop()
        assert [await connection.end() for connection in (used, fresh)] == [b"", b""]
        await asyncio.wait_for(it.done, 5)


async def test_requests_under_way_are_answered_whole_and_told_that_they_were_the_last(
    served: Served, services: FakeServices
) -> None:
    services.held.clear()
    async with stopping(served, quiet_seconds=0.05) as it, wire(it.port) as waiting, wire(it.port) as halfway:
        await waiting.send(POST)
        await halfway.send(POST[:-10])
        await heard(services)
        it.stop()
        await until(it.refuses)
        await halfway.send(POST[-10:])
        await heard(services, 2)
        services.held.set()
        for connection in (waiting, halfway):
            reply = await connection.reply()
            assert (reply.status, reply.is_last) == (201, True)
            assert await connection.end() == b""
        await asyncio.wait_for(it.done, 5)
    assert len(services.effects) == 2


async def test_a_request_that_takes_longer_than_the_server_may_wait_is_told_where_it_stands(
    served: Served, services: FakeServices
) -> None:
    services.held.clear()
    async with stopping(served, quiet_seconds=0, drain_seconds=0.3) as it, wire(it.port) as begun, wire(it.port) as slow:
        await begun.send(POST)
        await slow.send(POST[:-1])
        await heard(services)
        it.stop()
        unknown, nothing = await begun.reply(), await slow.reply()
        assert (unknown.status, code_of(unknown), unknown.is_last) == (504, "OUTCOME_UNKNOWN", True)
        assert (nothing.status, code_of(nothing), nothing.is_last) == (503, "SERVICE_UNAVAILABLE", True)
        assert len(services.heard) == 1
    services.held.set()


async def test_what_is_sent_after_the_last_answer_does_not_destroy_it(served: Served, services: FakeServices) -> None:
    async with wire(served.port) as line:
        await line.send(request("GET", "/orders/ord_1", Authorization=KEY, Connection="close"), GET, GET, b"x" * MEGABYTE)
        reply = await line.reply()
        assert (reply.status, reply.is_last) == (200, True)
        assert await line.end() == b""
    assert len(services.heard) == 1


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("authorised", [False, True])
async def test_a_body_nobody_reads_does_not_destroy_the_answer(
    served: Served,
    services: FakeServices,
    chunked: bool,  # noqa: FBT001
    authorised: bool,  # noqa: FBT001
) -> None:
    length = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 10485760\r\n\r\n"
    piece = (b"10000\r\n" + b" " * 65_536 + b"\r\n") if chunked else b" " * 65_536
    head = HEAD if authorised else HEAD.replace(MASTER_KEY.encode(), b"nonsense")
    async with wire(served.port) as line:
        await line.send(head + length, *[piece] * 160)
        reply = await line.reply()
        assert (reply.status, reply.is_last) == ((413 if authorised else 401), True)
        assert code_of(reply) == ("PAYLOAD_TOO_LARGE" if authorised else "UNAUTHORIZED")
        assert await line.end() == b""
    assert services.heard == []


async def test_a_short_body_nobody_reads_leaves_the_connection_open(served: Served, services: FakeServices) -> None:
    async with wire(served.port) as line:
        refused = await line.ask(POST.replace(MASTER_KEY.encode(), b"nonsense"))
        assert (refused.status, refused.is_last) == (401, False)
        assert (await line.ask(GET)).status == 200


async def test_what_is_no_http_is_refused_after_the_answers_that_are_due(served: Served, services: FakeServices) -> None:
    services.held.clear()
    async with wire(served.port) as line:
        await line.send(POST + GET + b'{"more": "than the length said"}')
        await heard(services)
        services.held.set()
        replies = [await line.reply() for _ in range(3)]
        assert [(reply.status, reply.is_last) for reply in replies] == [(201, False), (200, False), (400, True)]
        assert code_of(replies[2]) == "INVALID_REQUEST"
        assert await line.end() == b""
    assert len(services.effects) == 2


@pytest.mark.parametrize(
    ("before", "statuses"),
    [(b"", [400]), (GET, [200, 400]), (GET + GET, [200, 200, 400])],
)
async def test_a_body_that_is_broken_on_its_way_is_refused_at_once(
    served: Served, services: FakeServices, before: bytes, statuses: list[int]
) -> None:
    async with wire(served.port) as line:
        await line.send(before + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\n", b"no size\r\n")
        replies = [await line.reply() for _ in statuses]
        assert [reply.status for reply in replies] == statuses
        assert code_of(replies[-1]) == "INVALID_REQUEST"
        assert await line.end() == b""
    assert [envelope.type for envelope, _ in services.heard] == ["GetOrder"] * (len(statuses) - 1)


async def test_a_head_that_is_too_large_is_refused(served: Served) -> None:
    heads = [
        head
        for size in (70_000, MEGABYTE)
        for head in (
            b"GET /api/v1/config HTTP/1.1\r\nX-Large: " + b"x" * size + b"\r\n\r\n",
            b"GET /api/v1/config HTTP/1.1\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(size // 8)) + b"\r\n",
            b"GET /api/v1/config?" + b"x" * size + b" HTTP/1.1\r\n\r\n",
            b"GET /api/v1/config HTTP/1.1\r\nX-Endless: " + b"x" * size,
        )
    ]
    for head in heads:
        async with wire(served.port) as line:
            reply = await line.ask(head)
            assert (reply.status, code_of(reply), reply.is_last) == (400, "INVALID_REQUEST", True), head[:60]
            assert "too large" in reply.json()["error"]["message"]
            assert await line.end() == b""


async def test_a_large_head_within_the_limit_is_read(served: Served) -> None:
    async with wire(served.port) as line:
        assert (await line.ask(request("GET", "/config", X_Large="x" * 60_000))).status == 200


async def test_a_head_that_does_not_come_to_its_end_ends_the_connection(
    served: Served, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    async with wire(served.port) as line:
        assert (await line.ask(GET)).status == 200
        await line.send(GET[:-4])

        async def drip() -> None:
            with contextlib.suppress(OSError):
                for _ in range(100):
                    await line.send(b"x")
                    await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        with contextlib.suppress(ConnectionResetError):
            assert await line.end() == b""
        dripping.cancel()


async def test_whoever_says_nothing_is_let_go(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "IDLE_SECONDS", 0.1)
    async with wire(served.port) as line:
        assert await line.end() == b""


SHAPES = [
    HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    HEAD + b"Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    HEAD + b"Content-Length: +2\r\n\r\n{}",
    HEAD + b"Content-Length: -2\r\n\r\n{}",
    HEAD + b"Content-Length: 0x2\r\n\r\n{}",
    HEAD + b"Content-Length: 2 \x0b\r\n\r\n{}",
    HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\n{\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{\r\n0\r\n\r\n",
    HEAD + b" Content-Length: 2\r\n\r\n{}",
    HEAD + b"X-Bare: a\rb\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"X-Zero: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"X-Name \r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/v1/orders HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}",
    b"GET /api/v1/config HTTP/9.9\r\n\r\n",
    b"GET /api/v1/config\r\n\r\n",
    b"GET /api/v1/con fig HTTP/1.1\r\n\r\n",
    b"GET /api/v1/\xff HTTP/1.1\r\n\r\n",
    b"NONSENSE /api/v1/config HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\0\0",
]


async def test_a_request_that_two_parsers_could_cut_differently_is_refused_and_the_connection_ends(
    served: Served, services: FakeServices
) -> None:
    smuggled = request("DELETE", "/webhooks/wh_1", Authorization=KEY)
    for shape in SHAPES:
        async with wire(served.port) as line:
            await line.send(shape + smuggled)
            reply = await line.reply()
            assert (reply.status, code_of(reply)) == (400, "INVALID_REQUEST"), shape
            assert await line.end() == b"", shape
    assert services.heard == []
