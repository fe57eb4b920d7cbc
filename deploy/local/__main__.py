"""`python -m deploy.local <command>`: the whole platform on one machine, for development."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, Final

from deploy.local import launcher, preparing, rolling, settings
from deploy.local.errors import LocalError
from deploy.local.settings import LocalSettings

_TITLES: Final = {
    "start": "start everything and return when it is ready",
    "stop": "end what start began; the data stays",
    "restart": "replace the processes of a service, or of all, one by one and without a gap",
    "clean": "stop, then drop the database, the queues and the state directory",
    "up": "start everything and stay until Ctrl-C",
    "demo": "tell a marketplace story on a stack of its own",
    "status": "say what runs",
    "prepare": "make the platform's accounts on the network that STELLAR_HORIZON_URL names",
}
_INTERRUPTED: Final = 130


def main() -> int:
    """Do what was asked; 1 with one sentence on stderr when it can't be done."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The whole platform on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=title) for name, title in _TITLES.items()}
    parsers["restart"].add_argument("service", nargs="?", choices=(settings.SIGNER, *settings.SERVICES), help="one service only")
    parsers["prepare"].add_argument("--check", action="store_true", help="only say what lacks")
    arguments = parser.parse_args()
    try:
        return asyncio.run(_until_terminated(_run(arguments, settings.read())))
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _INTERRUPTED


def _say(text: str) -> None:
    print(text, flush=True)


async def _run(arguments: argparse.Namespace, local: LocalSettings) -> int:
    match arguments.command:
        case "start":
            return await launcher.start(local, _say)
        case "stop":
            return await launcher.stop(local, _say)
        case "restart":
            return await rolling.restart(
                local, _say, (arguments.service,) if arguments.service else (settings.SIGNER, *settings.SERVICES)
            )
        case "clean":
            return await launcher.clean(local, _say)
        case "up":
            return await launcher.up(local, _say)
        case "status":
            return await launcher.status(local, _say)
        case "prepare":
            return await preparing.prepare(local, is_check=arguments.check)
        case _:
            return await launcher.demo(local, _say, named=bool(os.environ.get("OFFERHUB_STATE_DIR")))


async def _until_terminated(work: Coroutine[Any, Any, int]) -> int:
    """Treat SIGTERM like Ctrl-C: what was started is stopped on the way out."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    sys.exit(main())
