import argparse
import asyncio
import ipaddress
import os
import signal
import sys
from pathlib import Path

import uvloop

from deploy.local.amqp.broker import DEFAULT_MEMORY_LIMIT_BYTES, EmbeddedBroker
from deploy.local.amqp.errors import SnapshotError

EXIT_CANNOT_START = 1


def main() -> int:
    arguments = _parse(sys.argv[1:])
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop if arguments.loop == "uvloop" else asyncio.new_event_loop)
    with runner:
        return runner.run(_serve(arguments))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.amqp", description="In-memory AMQP 0-9-1 broker for development. Not for production."
    )
    parser.add_argument("--host", default="127.0.0.1", type=_loopback, help="loopback address to listen on")
    parser.add_argument("--port", default=0, type=int, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it is open")
    parser.add_argument("--state", type=Path, help="file that keeps durable queues over an orderly stop")
    parser.add_argument("--memory-limit", default=DEFAULT_MEMORY_LIMIT_BYTES, type=int, help="octets; publishers wait beyond it")
    parser.add_argument("--loop", default="uvloop", choices=["uvloop", "asyncio"], help="event loop")
    return parser.parse_args(arguments)


def _loopback(host: str) -> str:
    """Anyone may log in, so only this machine may connect."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise argparse.ArgumentTypeError(f"{host} is not a loopback address, and this broker has no access control")
    return host


async def _serve(arguments: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    broker = EmbeddedBroker(
        host=arguments.host, port=arguments.port, state=arguments.state, memory_limit_bytes=arguments.memory_limit
    )
    try:
        await broker.start()
    except (OSError, SnapshotError) as error:
        print(f"embedded AMQP broker cannot start: {error}", file=sys.stderr)
        return EXIT_CANNOT_START
    kept = f"an orderly stop keeps durable queues in {arguments.state}" if arguments.state else "a stop loses them"
    print(
        f"embedded AMQP broker on {broker.host}:{broker.port}, DEVELOPMENT ONLY: in memory, {kept}, kill -9 loses all",
        flush=True,
    )
    if arguments.port_file is not None:
        _write_port(arguments.port_file, broker.port)
    await stop.wait()
    await broker.stop()
    return 0


def _write_port(path: Path, port: int) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(f"{port}\n")
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
