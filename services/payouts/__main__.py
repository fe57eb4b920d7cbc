"""`python -m services.payouts` runs one payouts process; with `rotate-keys` it wraps wallets' keys anew, and ends."""

import asyncio
import sys
import time

import uvloop

from libs.common.messaging.worker import serve
from services.payouts.app import build
from services.payouts.entrypoints.rotation import rotate
from services.payouts.settings import PayoutsSettings, SignerSettings


def main(arguments: list[str]) -> int:
    """Do what was asked."""
    if arguments == ["rotate-keys"]:
        began = time.monotonic()
        count = asyncio.run(rotate(SignerSettings.read()))
        sys.stdout.write(f"{count} keys wrapped anew in {time.monotonic() - began:.1f} s; the old keys open nothing now\n")
        return 0
    if arguments:
        sys.stderr.write("usage: python -m services.payouts [rotate-keys]\n")
        return 2
    settings = PayoutsSettings.read()
    uvloop.run(serve(build(settings), settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
