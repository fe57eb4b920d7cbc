"""Looks for deposits on the chain until cancelled; one process at a time does, and another takes over when it is gone."""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from libs.common.kernel.errors import TransientError
from libs.common.kernel.ids import new_id
from libs.common.messaging.worker import Loop, Parts
from services.payouts.clients.history import History
from services.payouts.clients.signer import Signer
from services.payouts.domain.deposits import Ours
from services.payouts.domain.ledger_chain import UnprovedError
from services.payouts.domain.networks import ASSET_CODE
from services.payouts.domain.signing import Accounts
from services.payouts.domain.strkey import read_account
from services.payouts.domain.xdr import UnreadableXdrError, asset_xdr
from services.payouts.entrypoints.own_accounts import until_known
from services.payouts.handlers.keep_deposits import Keeper
from services.payouts.handlers.scan_ledgers import Scanner
from services.payouts.settings import PayoutsSettings
from services.payouts.store import scans
from services.payouts.store.scans import Turn

LEASE: Final = timedelta(seconds=15)
SCAN_AGE: Final = Gauge(
    "offerhub_deposits_scan_age_seconds", "How long ago the ledger closed up to which deposits have been looked for"
)
SUSPENSE: Final = Gauge("offerhub_deposits_suspense", "Deposits that wait until a person has said whose they are")
CLAIMABLE: Final = Gauge("offerhub_deposits_claimable", "Of those, amounts that our accounts could claim, and do not hold")
UNPROVED: Final = Counter("offerhub_deposits_unproved_total", "Answers of Horizon that did not follow from what is known")
TROUBLE: Final = (TransientError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("offerhub.scan")


def scanning(settings: PayoutsSettings, signer: Signer, *, idle_seconds: float) -> Loop:
    """Make the loop of a service whose signer names the platform's own accounts."""

    async def run(parts: Parts) -> None:
        history = History(settings.horizon_url)
        owner = new_id("req")
        try:
            scanner = await _scanner(settings, signer, history, parts, idle_seconds)
            while True:
                is_busy = await survived(_turn(scanner, settings, owner))
                await _measure(parts)
                if not is_busy:
                    await asyncio.sleep(idle_seconds)
        finally:
            with contextlib.suppress(*TROUBLE):  # a lease that stays lapses by itself
                await scans.release(parts.pool, settings.network, owner)
            await history.close()

    return run


async def _scanner(settings: PayoutsSettings, signer: Signer, history: History, parts: Parts, idle_seconds: float) -> Scanner:
    own = await until_known(signer, idle_seconds)
    return Scanner(keeper_of(settings, own, parts), history, network_id_of(settings))


def keeper_of(settings: PayoutsSettings, own: Accounts, parts: Parts) -> Keeper:
    """Put together who writes deposits down."""
    return Keeper(parts.pool, ours_of(settings, own), parts.clock, parts.publisher, parts.own_queue)


def network_id_of(settings: PayoutsSettings) -> bytes:
    """Name the network as hashes of transactions do."""
    return hashlib.sha256(settings.network_passphrase.encode()).digest()


def ours_of(settings: PayoutsSettings, own: Accounts) -> Ours:
    """Tell our accounts and our dollar from others."""
    issuer = read_account(settings.usdc_issuer) or b""
    helpers = frozenset((own.sponsor, *own.channels)) - {own.treasury}
    return Ours(settings.network, own.treasury, helpers, asset_xdr(ASSET_CODE, issuer))


async def _turn(scanner: Scanner, settings: PayoutsSettings, owner: str) -> bool:
    """Make one step if it is our turn, and tell whether there may be more at once."""
    turn = await take_turn(scanner, settings, owner)
    return turn is not None and turn.cursor is not None and await scanner.step(turn.cursor)


async def take_turn(scanner: Scanner, settings: PayoutsSettings, owner: str) -> Turn | None:
    """Take the scan, if nobody else has it; where there is no beginning yet, find it."""
    pool, now = scanner.keeper.pool, scanner.keeper.clock.now()
    turn = await scans.take(pool, settings.network, owner, now=now, until=now + LEASE)
    if turn is None or turn.cursor is not None:
        return turn
    reach = await scanner.history.reach()
    if reach.passphrase != settings.network_passphrase:
        _log.error("scan.other_network", passphrase=reach.passphrase)
        return None
    await scanner.begin()
    return turn


async def survived(step: Awaitable[bool]) -> bool:
    """Tell whether there may be more to do at once. Whatever goes wrong is told, and tried again."""
    try:
        return await step
    except UnprovedError as error:
        UNPROVED.inc()
        _log.warning("scan.unproved", error=str(error))
    except UnreadableXdrError as error:
        _log.error("scan.unreadable", error=str(error))
    except TROUBLE as error:
        _log.warning("scan.trouble", error=repr(error))
    return False


async def _measure(parts: Parts) -> None:
    """Show how far it has come."""
    with contextlib.suppress(*TROUBLE):
        looked_until, waiting, claimable = await scans.standing(parts.pool)
        SCAN_AGE.set(0 if looked_until is None else max(0, int((parts.clock.now() - looked_until).total_seconds())))
        show_waiting(waiting, claimable)


def show_waiting(count: int, claimable: int) -> None:
    """Show what waits for a person, and how much of that is only offered."""
    SUSPENSE.set(count)
    CLAIMABLE.set(claimable)
