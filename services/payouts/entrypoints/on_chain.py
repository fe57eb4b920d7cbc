"""All that a process sends to the chain: it pays, makes accounts and sweeps them, through one Horizon."""

import asyncio
from datetime import timedelta

from libs.common.messaging.worker import Parts
from services.payouts.clients.envelopes import Network
from services.payouts.clients.holdings import Holdings
from services.payouts.clients.horizon import Horizon
from services.payouts.clients.signer import Signer
from services.payouts.domain.networks import ASSET_CODE
from services.payouts.domain.signing import Accounts
from services.payouts.domain.slots import BID_MAX
from services.payouts.entrypoints.collector import Round, collect
from services.payouts.entrypoints.maker import make
from services.payouts.entrypoints.own_accounts import until_known
from services.payouts.entrypoints.payer import pay
from services.payouts.handlers.make_accounts import Maker
from services.payouts.handlers.pay_slots import Payer
from services.payouts.handlers.sweep_accounts import SweepAccounts
from services.payouts.settings import PayoutsSettings
from services.payouts.store.creations import Creations
from services.payouts.store.sweeps import Sweeps


async def work(settings: PayoutsSettings, signer: Signer, parts: Parts, *, idle_seconds: float) -> None:
    """Do it until cancelled."""
    asset = (ASSET_CODE, settings.usdc_issuer)
    horizon, holdings = Horizon(settings.horizon_url), Holdings(settings.horizon_url, asset)
    try:
        own = await until_known(signer, idle_seconds)
        network = Network(settings.network_passphrase, settings.usdc_issuer, own.treasury, own.sponsor)
        payer = Payer(parts.pool, horizon, signer, network, parts.clock, parts.publisher, BID_MAX)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pay(payer, own.channels, idle_seconds=idle_seconds))
            if settings.wallets == "accounts":
                tasks.create_task(make(_maker(settings, signer, parts, horizon, own), idle_seconds=idle_seconds))
            if settings.wallets == "accounts" and settings.sweep_over_stroops:
                sweeps = Sweeps(parts.pool, settings.network)
                accounts = SweepAccounts(sweeps, horizon, signer, network, parts.clock, settings.sweep_over_stroops)
                interval = timedelta(seconds=settings.sweep_seconds)
                tasks.create_task(collect(Round(accounts, holdings, interval), idle_seconds=idle_seconds))
    finally:
        await horizon.close()
        await holdings.close()


def _maker(settings: PayoutsSettings, signer: Signer, parts: Parts, horizon: Horizon, own: Accounts) -> Maker:
    creations, asset = Creations(parts.pool, settings.network), f"{ASSET_CODE}:{settings.usdc_issuer}"
    return Maker(creations, horizon, signer, own, asset, settings.network_passphrase, parts.clock)
