"""`python -m services.payouts.signer` runs the one process that can open wallets' keys."""

import asyncio

from services.payouts.entrypoints.signer import serve
from services.payouts.settings import SignerSettings

if __name__ == "__main__":
    asyncio.run(serve(SignerSettings.read()))
