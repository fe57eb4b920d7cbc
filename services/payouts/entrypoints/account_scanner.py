"""Looks for deposits account by account until cancelled, within so many requests an hour; one process at a time does."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from prometheus_client import Gauge

from libs.common.kernel.ids import new_id
from libs.common.messaging.worker import Loop, Parts
from services.payouts.clients.history import History
from services.payouts.clients.holdings import Holdings
from services.payouts.clients.signer import Signer
from services.payouts.domain.account_replay import Budget
from services.payouts.domain.networks import ASSET_CODE
from services.payouts.entrypoints.own_accounts import until_known
from services.payouts.entrypoints.scanner import (
    SCAN_AGE,
    TROUBLE,
    keeper_of,
    network_id_of,
    show_waiting,
    survived,
    take_turn,
)
from services.payouts.handlers.scan_accounts import ALARM_TRIES, AccountScanner
from services.payouts.handlers.scan_ledgers import Scanner
from services.payouts.settings import PayoutsSettings
from services.payouts.store import account_scans, scans

SHORTEST_IDLES: Final = 10
"""An account is looked at at most once in so many pauses of the loop: five seconds, about a ledger."""
UNEXPLAINED: Final = Gauge(
    "offerhub_deposits_unexplained", "Accounts that hold what their transactions do not explain: nothing is credited to them"
)


def scanning_accounts(settings: PayoutsSettings, signer: Signer, *, idle_seconds: float) -> Loop:
    """Make the loop of a service whose signer names the platform's own accounts."""

    async def run(parts: Parts) -> None:
        history, holdings = History(settings.horizon_url), Holdings(settings.horizon_url, (ASSET_CODE, settings.usdc_issuer))
        owner = new_id("req")
        try:
            own = await until_known(signer, idle_seconds)
            ledgers = Scanner(keeper_of(settings, own, parts), history, network_id_of(settings))
            scanner = AccountScanner(
                ledgers.keeper,
                history,
                holdings,
                ledgers.network_id,
                own.sponsor,
                Budget(settings.scan_requests_per_hour),
                timedelta(seconds=SHORTEST_IDLES * idle_seconds),
            )
            while True:
                is_busy = await survived(_turn(scanner, ledgers, settings, owner))
                await _measure(parts, settings.network)
                if not is_busy:
                    await asyncio.sleep(idle_seconds)
        finally:
            with contextlib.suppress(*TROUBLE):  # a lease that stays lapses by itself
                await scans.release(parts.pool, settings.network, owner)
            await history.close()
            await holdings.close()

    return run


async def _turn(scanner: AccountScanner, ledgers: Scanner, settings: PayoutsSettings, owner: str) -> bool:
    """Make one step if it is our turn, and tell whether there may be more at once."""
    turn = await take_turn(ledgers, settings, owner)
    return turn is not None and turn.cursor is not None and await scanner.step(begin=turn.cursor.ledger)


async def _measure(parts: Parts, network: str) -> None:
    """Show how late the scan is: how long the account has been due that has waited longest."""
    with contextlib.suppress(*TROUBLE):
        oldest, troubled = await account_scans.standing(parts.pool, network, ALARM_TRIES)
        SCAN_AGE.set(0 if oldest is None else max(0, int((parts.clock.now() - oldest).total_seconds())))
        UNEXPLAINED.set(troubled)
        _, waiting, claimable = await scans.standing(parts.pool)
        show_waiting(waiting, claimable)
