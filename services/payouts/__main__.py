"""`python -m services.payouts` runs one payouts process; given a command it does that, and ends.

What each needs is imported when it is asked for: a command is there in half the time.
"""

import asyncio
import sys
import time
from typing import Final

from services.payouts.settings import PayoutsSettings, SignerSettings

_USAGE: Final = """usage: python -m services.payouts
    [rotate-keys | prepare [--check] | deposits … | pause CURRENCY WHY | resume CURRENCY | pauses
     | history CHANNEL | lift CHANNEL]
"""


def main(arguments: list[str]) -> int:
    """Do what was asked."""
    match arguments:
        case []:
            return _serve()
        case ["prepare"] | ["prepare", "--check"]:
            return _prepare(is_check=len(arguments) > 1)
        case ["rotate-keys"]:
            return _rotate()
        case ["deposits", *asked]:
            return _deposits(asked)
        case ["history" | "lift" as word, channel]:
            return _lift(channel, is_only_told=word == "history")
        case ["pause", _, _] | ["resume", _] | ["pauses"]:
            return _pausing(arguments)
        case _:
            sys.stderr.write(_USAGE)
            return 2


def _serve() -> int:
    import uvloop  # noqa: PLC0415

    from libs.common.messaging.worker import serve  # noqa: PLC0415
    from services.payouts.app import build  # noqa: PLC0415

    settings = PayoutsSettings.read()
    uvloop.run(serve(build(settings), settings))
    return 0


def _prepare(*, is_check: bool) -> int:
    from services.payouts.entrypoints.preparing import prepare  # noqa: PLC0415

    return asyncio.run(prepare(PayoutsSettings.read(), _say, is_check=is_check))


def _deposits(asked: list[str]) -> int:
    from services.payouts.entrypoints.deposit_desk import deposits  # noqa: PLC0415

    return asyncio.run(deposits(PayoutsSettings.read(), asked))


def _lift(channel: str, *, is_only_told: bool) -> int:
    from services.payouts.entrypoints.lifting import lift  # noqa: PLC0415

    return asyncio.run(lift(PayoutsSettings.read(), channel, _say, is_only_told=is_only_told))


def _rotate() -> int:
    from services.payouts.entrypoints.rotation import rotate  # noqa: PLC0415

    began = time.monotonic()
    count = asyncio.run(rotate(SignerSettings.read()))
    _say(f"{count} keys wrapped anew in {time.monotonic() - began:.1f} s; the old keys open nothing now")
    return 0


def _pausing(arguments: list[str]) -> int:
    from services.payouts.entrypoints.pausing import change  # noqa: PLC0415

    try:
        _say(asyncio.run(change(PayoutsSettings.read(), arguments)))
    except ValueError as error:
        sys.stderr.write(f"usage: python -m services.payouts {error}\n")
        return 2
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
