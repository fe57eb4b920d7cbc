"""`python -m services.ledger` runs one ledger process."""

import uvloop

from libs.common.messaging.worker import serve
from services.ledger.app import build
from services.ledger.settings import LedgerSettings

if __name__ == "__main__":
    uvloop.run(serve(build(), LedgerSettings.read()))
