"""`python -m deploy.sandbox.horizon --port 0 --state DIR --close-ms 200 --port-file F`."""

import asyncio
import signal
import sys
from collections.abc import Sequence

from aiohttp import web

from deploy.sandbox.horizon.app import build
from deploy.sandbox.horizon.history.store import StateInUse
from deploy.sandbox.horizon.node import WrongNetwork, running
from deploy.sandbox.horizon.settings import Settings, parse


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    async with running(settings) as node:
        runner = web.AppRunner(build(node), access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port, reuse_address=True).start()
        port = runner.addresses[0][1]
        if settings.port_file is not None:
            partial = settings.port_file.with_suffix(".partial")
            partial.write_text(str(port))
            partial.replace(settings.port_file)
        print(f"sandbox Horizon on http://{settings.host}:{port}, network '{settings.passphrase}'", flush=True)
        await stopping.wait()
        await runner.cleanup()


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    try:
        asyncio.run(serve(parse(arguments)))
    except (StateInUse, WrongNetwork, OSError) as error:
        print(f"sandbox Horizon: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
