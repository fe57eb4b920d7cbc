"""`python -m services.gateway` runs one gateway process; `verify` checks what was recorded."""

import argparse
import asyncio
import signal
import socket
import sys
from datetime import timedelta
from typing import Final

import structlog
import uvloop

from libs.common.kernel.clock import SystemClock
from libs.common.messaging import faults
from libs.common.messaging.worker import database_url, tune_garbage_collection
from libs.common.observability.logging import start_logging
from libs.common.observability.tracing import start_tracing
from libs.common.persistence.pool import open_pool
from services.gateway.app import Gateway
from services.gateway.entrypoints.http.server import Server
from services.gateway.handlers.verify_records import verify_records
from services.gateway.settings import GatewaySettings
from services.gateway.store.records import RecordStore

_BACKLOG: Final = 2048
_GONE_MS: Final = 45_000
_log = structlog.get_logger("offerhub.gateway")


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted."""
    start_logging(service="gateway", instance=settings.instance, level=settings.log_level)
    if settings.otlp_endpoint:
        start_tracing(service="gateway", endpoint=settings.otlp_endpoint)
    faults.arm_from(settings.fault)
    listener = listen(settings)
    async with Gateway(settings) as gateway:
        server = Server(gateway.asgi, on_drain=gateway.drain)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)  # noqa: FBT003
        tune_garbage_collection()
        _log.info("gateway.ready", address=listener.getsockname())
        await server.serve(sockets=[listener])


def listen(settings: GatewaySettings) -> socket.socket:
    """Return the inherited socket, or bind one."""
    if settings.listen_fd is not None:
        listener = socket.socket(fileno=settings.listen_fd)
    else:
        listener = socket.create_server((settings.host, settings.port), backlog=_BACKLOG)
    # Accepted connections inherit it. Without it an answer's head and body, two writes, can wait 40 ms for each other.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if (
        sys.platform == "linux"
    ):  # a client that is gone without a word is noticed by the next ping, not a quarter of an hour later
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_MS)
    return listener


async def verify(settings: GatewaySettings, anchor: tuple[int, bytes] | None) -> int:
    """Check the chain over all recorded requests, print what was found, and return the exit status."""
    pool = await open_pool(database_url(settings, "gateway"), schema="gateway", size=2, application="offerhub-verify")
    try:
        kept = timedelta(days=settings.records_kept_days)
        verdict = await verify_records(RecordStore(pool), SystemClock(), kept=kept, anchor=anchor)
    finally:
        await pool.close()
    kinds = f"{verdict.batches} batches, {verdict.records} records, {verdict.forgotten} forgotten"
    lines = [
        *verdict.complaints,
        f"{kinds}; {len(verdict.complaints)} complaints",
        f"head {verdict.position}:{verdict.hash.hex()}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if verdict.complaints else 0


def _anchor(text: str) -> tuple[int, bytes]:
    position, _, found = text.partition(":")
    return int(position), bytes.fromhex(found)


def main() -> None:
    """Serve, or verify the records: `python -m services.gateway verify [--anchor POSITION:HASH]`."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway")
    commands = parser.add_subparsers(dest="command")
    verifying = commands.add_parser("verify", help="check the chain over all recorded requests")
    verifying.add_argument("--anchor", type=_anchor, help="a head that was printed earlier: it must still be in the chain")
    arguments = parser.parse_args()
    if arguments.command == "verify":
        sys.exit(uvloop.run(verify(GatewaySettings.read(), arguments.anchor)))
    uvloop.run(serve(GatewaySettings.read()))


if __name__ == "__main__":
    main()
