"""Makes the accounts of wallets that wait for one, as long as there are any."""

import asyncio
from typing import Final

import structlog

from services.payouts.clients.signer import SignerRefusedError
from services.payouts.entrypoints.payer import TROUBLE
from services.payouts.handlers.make_accounts import Maker

CALM: Final = 20
"""So many times the usual pause is made when something is in the way."""
_log = structlog.get_logger("offerhub.accounts")


async def make(maker: Maker, *, idle_seconds: float) -> None:
    """Make accounts until cancelled, about one transaction a ledger; whatever goes wrong is tried again."""
    rested = 0
    while True:
        pause = idle_seconds
        try:
            if await maker.creations.is_due():
                rested, trouble = await _turn(maker, rested)
                if trouble:
                    _log.error("accounts.stuck", reason=trouble, do="python -m services.payouts prepare")
                    pause *= CALM
        except SignerRefusedError as error:
            _log.error("accounts.not_signed", error=repr(error))
            pause *= CALM
        except TROUBLE as error:
            _log.warning("accounts.trouble", error=repr(error))
            pause *= CALM
        await asyncio.sleep(pause)


async def _turn(maker: Maker, rested: int) -> tuple[int, str]:
    """Do what can be done now: return the ledger until after which there is nothing more to do, and what is wrong."""
    if await maker.horizon.passphrase() != maker.passphrase:
        return 0, "Horizon serves another network"
    held = await maker.creations.open(maker.accounts.sponsor)
    if held is None:
        await maker.begin_next()
        return 0, ""
    tip = await maker.horizon.tip()
    if tip.ledger == rested:
        return rested, ""
    outcome = await maker.step(held, tip)
    return (tip.ledger, "") if outcome is None else (0, outcome)
