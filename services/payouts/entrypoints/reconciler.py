"""Compares chain and books until cancelled, and shows what came of it; several processes share the work by the table."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import structlog
from prometheus_client import Gauge

from libs.common.kernel.errors import TransientError
from libs.common.messaging.worker import Loop, Parts
from services.payouts.clients.holdings import Holdings
from services.payouts.clients.signer import Signer
from services.payouts.domain.networks import ASSET_CODE
from services.payouts.entrypoints.own_accounts import until_known
from services.payouts.entrypoints.scanner import ours_of
from services.payouts.handlers.reconcile import Reconciler
from services.payouts.settings import PayoutsSettings
from services.payouts.store import tallies
from services.payouts.store.tallies import Tally

INTERVAL: Final = timedelta(seconds=30)
SELDOM: Final = 20
"""Where Horizon counts requests, so many times as long passes."""
DIFFERENCE: Final = Gauge(
    "offerhub_reconciliation_difference_stroops",
    "On the chain and not in the books; below zero: missing on the chain",
    ["currency"],
)
AGE: Final = Gauge("offerhub_reconciliation_age_seconds", "How long ago chain and books stood still enough to be compared")
_TROUBLE: Final = (TransientError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("offerhub.reconciliation")


def reconciling(settings: PayoutsSettings, signer: Signer, *, idle_seconds: float, interval: timedelta = INTERVAL) -> Loop:
    """Make the loop of a service whose signer names the platform's own accounts."""

    async def run(parts: Parts) -> None:
        own = await until_known(signer, idle_seconds)
        holdings = Holdings(settings.horizon_url, (ASSET_CODE, settings.usdc_issuer))
        ours, by_account = ours_of(settings, own), settings.scan == "account"
        reconciler = Reconciler(parts.pool, parts.rpc, holdings, ours, own.sponsor, parts.clock, by_account)
        pause = interval * SELDOM if by_account else interval
        began = parts.clock.now()
        try:
            while True:
                try:
                    await _turn(reconciler, settings.network, began, pause)
                except _TROUBLE as error:
                    _log.warning("reconciliation.trouble", error=repr(error))
                await asyncio.sleep(idle_seconds)
        finally:
            await holdings.close()

    return run


async def _turn(reconciler: Reconciler, network: str, began: datetime, interval: timedelta) -> None:
    """Compare if nobody has for a while, and show what was found last."""
    now = reconciler.clock.now()
    found = await tallies.last(reconciler.pool, network)
    if now - _newest(found, began - interval) >= interval:
        found = await reconciler.compare() or found
    for tally in found:
        DIFFERENCE.labels(tally.currency).set(tally.difference)
    AGE.set(max(0, int((now - _newest(found, began)).total_seconds())))


def _newest(found: Sequence[Tally], otherwise: datetime) -> datetime:
    return max((each.compared_at for each in found), default=otherwise)
