"""Works on the channels that are free: each of them by itself, so that one that is stuck keeps no other waiting."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from libs.common.kernel.errors import TransientError
from libs.common.kernel.ids import new_id
from libs.common.messaging.worker import Loop, Parts
from services.payouts.clients.envelopes import Network
from services.payouts.clients.horizon import Horizon
from services.payouts.clients.signer import Signer, SignerRefusedError, SignerUnavailableError
from services.payouts.domain.signing import Accounts
from services.payouts.handlers.pay_slots import Payer
from services.payouts.settings import PayoutsSettings
from services.payouts.store import channels
from services.payouts.store.channels import Lease

LEASE: Final = timedelta(seconds=15)
BID_MAX: Final = 100_000
"""Stroops an operation that are never exceeded: a hundredth of a lumen."""
TROUBLE: Final = (TransientError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("offerhub.payer")


def paying(settings: PayoutsSettings, signer: Signer, *, bid_max: int = BID_MAX, idle_seconds: float) -> Loop:
    """Make the loop of a service that pays with the signer's treasury and channels."""

    async def run(parts: Parts) -> None:
        horizon = Horizon(settings.horizon_url)
        try:
            accounts = await _accounts(signer, idle_seconds)
            network = Network(settings.network_passphrase, settings.usdc_issuer, accounts.treasury)
            payer = Payer(parts.pool, horizon, signer, network, parts.clock, parts.publisher, bid_max)
            await pay(payer, accounts.channels, idle_seconds=idle_seconds)
        finally:
            await horizon.close()

    return run


async def _accounts(signer: Signer, idle_seconds: float) -> Accounts:
    while True:
        try:
            return await signer.accounts()
        except SignerUnavailableError as error:
            _log.warning("payer.trouble", error=repr(error))
        await asyncio.sleep(idle_seconds)


async def pay(payer: Payer, public_keys: Sequence[str], *, idle_seconds: float) -> None:
    """Pay until cancelled. Whatever goes wrong is tried again: nothing is decided but by what the chain shows."""
    owner = new_id("req")
    try:
        while True:
            try:
                await channels.register(payer.pool, public_keys)
                if await payer.horizon.passphrase() != payer.network.passphrase:
                    _log.error("payer.other_network")
                else:
                    await _work(payer, owner, public_keys, idle_seconds)
            except TROUBLE as error:
                _log.warning("payer.trouble", error=repr(error))
            await asyncio.sleep(idle_seconds)
    finally:
        with contextlib.suppress(*TROUBLE):  # a lease that stays lapses by itself
            await channels.release(payer.pool, owner)


async def _work(payer: Payer, owner: str, public_keys: Sequence[str], idle_seconds: float) -> None:
    while True:
        now = payer.clock.now()
        leases = await channels.take(payer.pool, owner, public_keys, now=now, until=now + LEASE)
        busy = await asyncio.gather(*(_step(payer, lease) for lease in leases))
        if not any(busy):
            await asyncio.sleep(idle_seconds)


async def _step(payer: Payer, lease: Lease) -> bool:
    try:
        return await payer.step(lease)
    except SignerRefusedError as error:
        _log.error("payer.not_signed", channel=lease.channel, error=repr(error))
    except TROUBLE as error:
        _log.warning("payer.trouble", channel=lease.channel, error=repr(error))
    return False
