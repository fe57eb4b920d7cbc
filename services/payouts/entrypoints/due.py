"""Begins to work on the chain when there is something to do: until then Stellar's library, which costs 57 MB, is not loaded."""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from libs.common.messaging.worker import Loop, Parts
from services.payouts.clients.signer import Signer
from services.payouts.settings import PayoutsSettings
from services.payouts.store import due
from services.payouts.store.creations import Creations
from services.payouts.store.sweeps import Sweeps

_TROUBLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("offerhub.payer")


def working_when_due(settings: PayoutsSettings, signer: Signer, *, idle_seconds: float) -> Loop:
    """Make the loop that waits for the first withdrawal, wallet or sweep, then pays, makes accounts and sweeps them for good."""

    async def run(parts: Parts) -> None:
        while not await _is_due(parts, settings):  # noqa: ASYNC110 - another process may have put it there
            await asyncio.sleep(idle_seconds)
        from services.payouts.entrypoints import on_chain  # noqa: PLC0415 - see above

        await on_chain.work(settings, signer, parts, idle_seconds=idle_seconds)

    return run


async def _is_due(parts: Parts, settings: PayoutsSettings) -> bool:
    try:
        now = parts.clock.now()
        if settings.wallets == "accounts":
            last = now - timedelta(seconds=settings.sweep_seconds)
            is_sweeping = settings.sweep_over > 0 and await Sweeps(parts.pool, settings.network).is_due(now, last)
            if is_sweeping or await Creations(parts.pool, settings.network).is_due():
                return True
        return (await due.look(parts.pool, now)).is_any
    except _TROUBLE as error:
        _log.warning("payer.trouble", error=repr(error))
        return False
