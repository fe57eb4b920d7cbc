"""`python -m services.payouts` runs one payouts process."""

import uvloop

from libs.common.messaging.worker import serve
from services.payouts.app import build
from services.payouts.settings import PayoutsSettings

if __name__ == "__main__":
    settings = PayoutsSettings.read()
    uvloop.run(serve(build(settings), settings))
