"""Readers of the event stream in a process of their own: as many connections as there are keys, as cheap as Python has them.

Told on stdin: a line with the keys, and later one with `{position: Unix seconds}`. Tells `ready` when all are open, and then how
long each frame took from its instant.
"""

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final, cast

import uvloop

from libs.common.kernel.clock import SystemClock

_FRAME: Final = re.compile(rb"id: (\d+)\nevent: order\.[a-z_]+\ndata: [^\n]*\n\n")
_GREETING: Final = b"event: ping"
_TAIL_BYTES: Final = 16_384
_OPENED_AT_ONCE: Final = 50
_OPEN_SECONDS: Final = 60.0
_clock: Final = SystemClock()
_REQUEST: Final = (
    "GET /api/v1/events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nAuthorization: Bearer {key}\r\n"
    "Connection: keep-alive\r\n\r\n"
)


class Reader(asyncio.Protocol):
    """One connection; notes the position and the instant of each whole frame."""

    def __init__(self, key: str, seen: list[tuple[int, float]]) -> None:
        """Ask with this key."""
        self.opened = asyncio.get_running_loop().create_future()
        self._request = _REQUEST.format(key=key).encode()
        self._seen = seen
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast("asyncio.WriteTransport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note what is whole, and keep the rest."""
        at = _clock.now().timestamp()
        text, end = self._rest + data, 0
        if not self.opened.done():
            if _GREETING in text:
                self.opened.set_result(None)
            elif b"\r\n\r\n" in text and not text.startswith(b"HTTP/1.1 200"):
                self.opened.set_exception(ConnectionError(text.decode("latin-1")))
        for match in _FRAME.finditer(text):
            self._seen.append((int(match[1]), at))
            end = match.end()
        self._rest = text[end:][-_TAIL_BYTES:]

    def connection_lost(self, _: Exception | None) -> None:
        """Say that a stream that was never opened never will be."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before it was open"))


async def main(host: str, port: int) -> None:
    """Open all, wait to be told the instants, and tell the delays."""
    loop = asyncio.get_running_loop()
    seen: list[tuple[int, float]] = []
    turns = asyncio.Semaphore(_OPENED_AT_ONCE)

    async def open_one(key: str) -> None:
        async with turns:
            _, reader = await loop.create_connection(lambda: Reader(key, seen), host, port)
            await reader.opened

    keys = json.loads(await asyncio.to_thread(sys.stdin.readline))
    async with asyncio.timeout(_OPEN_SECONDS):
        await asyncio.gather(*map(open_one, keys))
    _say("ready")
    instants = {int(position): at for position, at in json.loads(await asyncio.to_thread(sys.stdin.readline)).items()}
    _say(json.dumps(told(seen, instants)))


def told(seen: Sequence[tuple[int, float]], instants: Mapping[int, float]) -> dict[str, float]:
    """Sum up: how many frames there were, and quantiles of their delays in milliseconds."""
    delays = sorted((at - instants[position]) * 1_000 for position, at in seen if position in instants)
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {"frames": len(delays)} | {
        name: delays[min(int(len(delays) * share), len(delays) - 1)] for name, share in shares.items()
    }


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
