"""`python -m services.escrow` runs one escrow process."""

import uvloop

from libs.common.messaging.worker import serve
from services.escrow.app import build
from services.escrow.settings import EscrowSettings

if __name__ == "__main__":
    settings = EscrowSettings.read()
    uvloop.run(serve(build(settings), settings))
