"""Receivers in a process of their own: what is posted to `/ok/…` is noted with its instant, the others never behave."""

import asyncio
import json
import sys
from typing import Final

import uvloop

from libs.common.kernel.clock import SystemClock

HANG_SECONDS: Final = 10.0
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ENDLESS: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
_clock: Final = SystemClock()
_CHUNK: Final = b"x" * 65_536


class Sink:
    """What came so far: (webhook-id, path, Unix seconds)."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.arrived: list[tuple[str, str, float]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection for as long as it lasts."""
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        at = _clock.now().timestamp()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        await reader.readexactly(int(headers.get("content-length", "0")))
        path = request.split(" ")[1]
        if path.startswith("/ok"):
            self.arrived.append((headers["webhook-id"], path, at))
            writer.write(_OK)
        elif path == "/told":
            told = json.dumps(self.arrived).encode()
            self.arrived = []
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(told) + told)
        elif path == "/count":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n%010d" % sum(to == "/ok" for _, to, _ in self.arrived))
        elif path.startswith("/hang"):
            await asyncio.sleep(HANG_SECONDS)
            writer.write(_OK)
        else:
            writer.write(_ENDLESS)
            while True:
                writer.write(_CHUNK)
                await writer.drain()
        await writer.drain()
        return True


async def main() -> None:
    """Listen on a free port, and say which."""
    server = await asyncio.start_server(Sink().serve, "127.0.0.1", 0, backlog=1_024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
