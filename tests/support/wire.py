"""A lean HTTP/1.1 client for load: one keep-alive connection per protocol, requests built beforehand, answers cut by length.

It costs about 15 µs of CPU a request on the machine of docs/benchmarks.md, where a common client takes 500 and would be
most of what is measured.
"""

import asyncio
from collections.abc import Callable, Generator
from itertools import count
from time import perf_counter
from typing import Final, cast

Script = Generator[bytes, bytes, None]
"""Yields requests and is sent the body of each answer; may read an id from it for the next request."""

_LENGTH: Final = b"\r\ncontent-length: "
FAILURES_KEPT: Final = 5


class Api:
    """Spells requests to one gateway with one key. Every POST gets an Idempotency-Key of its own."""

    def __init__(self, *, host: str, port: int, key: str, run: str) -> None:
        """`run` makes the keys of this client differ from any other's."""
        self._tail = f" HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n".encode()
        self._run = run
        self._numbers = count()

    def get(self, path: str) -> bytes:
        """Spell a GET of a path under /api/v1."""
        return b"".join((b"GET /api/v1", path.encode(), self._tail, b"\r\n"))

    def post(self, path: str, body: bytes = b"") -> bytes:
        """Spell a POST with a JSON body."""
        head = f"Idempotency-Key: {self._run}-{next(self._numbers)}\r\nContent-Type: application/json\r\n"
        return b"".join(
            (b"POST /api/v1", path.encode(), self._tail, head.encode(), b"Content-Length: %d\r\n\r\n" % len(body), body)
        )


def id_in(body: bytes) -> str:
    """Read the id of the resource that an answer holds: the first one in it."""
    start = body.index(b'"id":"') + 6
    return body[start : body.index(b'"', start)].decode()


class Load:
    """What many connections do together: each plays scripts one after the other until there are no more."""

    def __init__(self, next_script: Callable[[], Script | None]) -> None:
        """`next_script` gives None when a connection shall end."""
        self.next_script = next_script
        self.answers: list[tuple[float, float, int]] = []
        """(when, seconds it took, status) of every answer."""
        self.played: list[tuple[float, float]] = []
        """(when, seconds it took) of every script that came to its end."""
        self.failures: list[str] = []
        self.failed = 0
        self.head: bytes = b""
        """The head of the last answer that was not 2xx."""

    def fail(self, problem: str) -> None:
        """Count a failure and keep the first few."""
        self.failed += 1
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append(problem)


class Connection(asyncio.Protocol):
    """One connection: sends, waits for the answer, goes on. A script ends early when an answer is not 2xx."""

    def __init__(self, load: Load, ended: asyncio.Future[None]) -> None:
        """Report to `load`; `ended` is set when the connection is over."""
        self._load = load
        self._ended = ended
        self._transport: asyncio.WriteTransport
        self._script: Script
        self._buffer = b""
        self._began = self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the first script."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's does not inherit from it
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so when it was not us who ended it."""
        if not self._ended.done():
            self._load.fail(f"the connection was lost: {exc!r}")
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Put the answer together; when it is whole, go on with the script."""
        buffer = self._buffer + data if self._buffer else data
        head_end = buffer.find(b"\r\n\r\n")
        at = buffer.find(_LENGTH, 0, head_end)
        if head_end < 0 or at < 0:
            self._buffer = buffer
            return
        at += len(_LENGTH)
        body_start = head_end + 4
        if len(buffer) < body_start + int(buffer[at : buffer.index(b"\r", at)]):
            self._buffer = buffer
            return
        self._buffer = b""
        self._answered(int(buffer[9:12]), buffer, body_start)

    def _answered(self, status: int, answer: bytes, body_start: int) -> None:
        now = perf_counter()
        self._load.answers.append((now, now - self._sent, status))
        if not 200 <= status < 300:
            self._load.head = answer[:body_start]
            self._load.fail(f"{status} {answer[body_start : body_start + 300].decode(errors='replace')}")
            self._script.close()
            self._begin()
            return
        try:
            request = self._script.send(answer[body_start:])
        except StopIteration:
            self._load.played.append((now, now - self._began))
            self._begin()
        else:
            self._send(request, now)

    def _begin(self) -> None:
        script = self._load.next_script()
        if script is None:
            if not self._ended.done():
                self._ended.set_result(None)
            self._transport.close()
            return
        self._script = script
        self._began = perf_counter()
        self._send(next(script), self._began)

    def _send(self, request: bytes, now: float) -> None:
        self._sent = now
        self._transport.write(request)


async def play(load: Load, *, host: str, port: int, connections: int) -> None:
    """Open connections and return when all of them have ended."""
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: Connection(load, end), host, port)  # type: ignore[misc]
    await asyncio.gather(*ends)
