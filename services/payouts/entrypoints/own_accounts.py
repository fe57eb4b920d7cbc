"""Which accounts are the platform's own, for what begins before the signer may be there."""

import asyncio

import structlog

from services.payouts.clients.signer import Signer, SignerUnavailableError
from services.payouts.domain.signing import Accounts

_log = structlog.get_logger("offerhub.payouts")


async def until_known(signer: Signer, idle_seconds: float) -> Accounts:
    """Ask the signer for the platform's own accounts until it answers."""
    while True:
        try:
            return await signer.accounts()
        except SignerUnavailableError as error:
            _log.warning("signer.silent", error=repr(error))
        await asyncio.sleep(idle_seconds)
