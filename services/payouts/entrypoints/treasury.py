"""Watches the treasury: an asset of which it can't pay what is owed is paused before payments fail, and goes on by itself."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
from prometheus_client import Gauge

from libs.common.kernel.errors import TransientError
from libs.common.kernel.money import CURRENCIES, UNIT, format_amount
from libs.common.messaging.worker import Loop, Parts
from services.payouts.clients.treasury import holdings
from services.payouts.domain.treasury import Cause
from services.payouts.handlers.ask_for_accounts import OwnAccounts
from services.payouts.settings import PayoutsSettings
from services.payouts.store import pauses

INTERVAL_SECONDS: Final = 10.0
FAULT_FOR: Final = timedelta(minutes=2)
"""How long a refusal by the network keeps its asset paused: then it is tried again."""
BALANCE: Final = Gauge("offerhub_treasury_balance", "What the treasury can pay, in units of the currency", ["currency"])
OWED: Final = Gauge("offerhub_treasury_owed", "What waits to be paid or is on its way, in units of the currency", ["currency"])
PAUSED: Final = Gauge("offerhub_asset_paused", "1 while no payment in this currency is begun", ["currency"])
_log = structlog.get_logger("offerhub.treasury")


@dataclass(slots=True)
class TreasuryWatch:
    """Compares what is there with what is owed; a shortage must show twice, since what is being paid counts on both sides."""

    parts: Parts
    own: OwnAccounts
    horizon_url: str
    usdc_issuer: str
    short_before: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """Look once, and pause or resume.

        Raises:
            TransientError: the signer does not say which account the treasury is.
        """
        await self.own.know()
        there = await holdings(self.horizon_url, self.own.treasury, self.usdc_issuer)
        owed = await pauses.owed(self.parts.pool)
        faults = await pauses.recent_faults(self.parts.pool, self.parts.clock.now() - FAULT_FOR)
        for currency in CURRENCIES:
            OWED.labels(currency).set(owed.get(currency, 0) / UNIT)
            if there is not None:
                BALANCE.labels(currency).set(there[currency] / UNIT)
                await self._balance(currency, there[currency], owed.get(currency, 0))
            fault = faults.get(currency)
            reason = None if fault is None else f"the network refuses the treasury's payments: {fault}"
            await self._set(currency, "fault", reason)
        held = {record["currency"] for record in await pauses.paused(self.parts.pool)}
        for currency in CURRENCIES:
            PAUSED.labels(currency).set(currency in held)

    async def _balance(self, currency: str, there: int, owed: int) -> None:
        is_short = there < owed
        was_short = currency in self.short_before
        self.short_before = self.short_before | {currency} if is_short else self.short_before - {currency}
        if is_short and was_short:
            text = f"the treasury can pay {format_amount(there)} {currency}, and owes {format_amount(owed)}"
            await self._set(currency, "balance", text)
        elif not is_short:
            await self._set(currency, "balance", None)

    async def _set(self, currency: str, cause: Cause, reason: str | None) -> None:
        if reason is not None:
            _log.error("asset.paused", currency=currency, reason=reason)
            await pauses.pause(self.parts.pool, currency, cause, reason, self.parts.clock.now())
        elif await pauses.resume(self.parts.pool, currency, cause):
            _log.warning("asset.resumed", currency=currency, cause=cause)


def watching(settings: PayoutsSettings, own: OwnAccounts) -> Loop:
    """Make the loop that looks every ten seconds."""

    async def run(parts: Parts) -> None:
        watch = TreasuryWatch(parts, own, settings.horizon_url, settings.usdc_issuer)
        while True:
            try:
                await watch.look()
            except (TransientError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("treasury.trouble", error=repr(error))
            await asyncio.sleep(INTERVAL_SECONDS)

    return run
