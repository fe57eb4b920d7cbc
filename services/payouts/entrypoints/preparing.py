"""`python -m services.payouts prepare`: says what the network lacks of the platform's own accounts, and makes it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from libs.common.kernel.clock import SystemClock
from libs.common.kernel.money import UNIT, format_amount
from libs.common.messaging import faults
from libs.common.persistence.pool import open_pool, role_url
from services.payouts.clients.horizon import Horizon, HorizonSilentError
from services.payouts.clients.signer import SignerClient, SignerRefusedError, SignerUnavailableError
from services.payouts.domain.networks import ASSET_CODE
from services.payouts.domain.signing import Accounts
from services.payouts.domain.transactions import CHANNEL_LUMENS, NATIVE
from services.payouts.handlers.make_accounts import Maker
from services.payouts.settings import PayoutsSettings
from services.payouts.store.creations import Creations

PATIENCE_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.1
_RESERVE: Final = UNIT // 2
_SPARE: Final = UNIT
"""Left to the sponsor for fees."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lack:
    """What is missing on the network."""

    own: tuple[str, ...]
    """Accounts that are not there, or are there without what they need."""
    existing: frozenset[str]
    lumens: int
    """What the sponsor needs for it, in stroops."""


async def prepare(settings: PayoutsSettings, say: Say, *, is_check: bool) -> int:
    """Do it, or with `is_check` only say it; 0 when nothing lacks any more. It may be run at any time and any number of times."""
    faults.arm_from(settings.fault)
    horizon = Horizon(settings.horizon_url)
    url, secret = settings.database_url.get_secret_value(), settings.db_role_secret.get_secret_value()
    url = role_url(url, service="payouts", secret=secret) if secret else url
    pool = await open_pool(url, schema="payouts", size=2, application="offerhub-prepare")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            signer = SignerClient(settings.signer_socket)
            asset, creations = f"{ASSET_CODE}:{settings.usdc_issuer}", Creations(pool, settings.network)
            accounts = await signer.accounts()
            maker = Maker(creations, horizon, signer, accounts, asset, settings.network_passphrase, SystemClock())
            return await _prepare(maker, say, is_check=is_check)
    except (TimeoutError, SignerUnavailableError, SignerRefusedError, HorizonSilentError) as error:
        say(f"it can't go on: {error!r}")
        return 1
    finally:
        await horizon.close()
        await pool.close()


async def _prepare(maker: Maker, say: Say, *, is_check: bool) -> int:
    accounts = maker.accounts
    served = await maker.horizon.passphrase()
    if served != maker.passphrase:
        say(f"Horizon serves the network '{served}', and STELLAR_NETWORK_PASSPHRASE says '{maker.passphrase}'")
        return 1
    lack = await _lack(maker.horizon, accounts, maker.asset)
    issuer = maker.asset.partition(":")[2]
    if await maker.horizon.holdings(issuer) is None:
        say(f"issuer   {issuer} is not there; STELLAR_USDC_ISSUER must be who issues {ASSET_CODE} on this network")
        return 1
    holdings = await maker.horizon.holdings(accounts.sponsor)
    if lack.own and (holdings is None or holdings[NATIVE] < lack.lumens):
        held = "is not there" if holdings is None else f"holds {format_amount(holdings[NATIVE])} XLM"
        say(f"sponsor  {accounts.sponsor} {held}; send it {format_amount(lack.lumens)} XLM or more, then come again")
        return 1
    if is_check or not lack.own:
        for account in lack.own:
            say(f"missing  {_name(account, accounts)} {account}")
        await _tell(maker, say)
        return 1 if lack.own else 0
    outcome = await _make(maker, lack)
    if outcome:
        say(f"the network refused it: {outcome}")
        return 1
    for account in lack.own:
        say(f"made     {_name(account, accounts)} {account}")
    await _tell(maker, say)
    return 0


async def _lack(horizon: Horizon, accounts: Accounts, asset: str) -> Lack:
    own: list[str] = []
    existing: set[str] = set()
    held = await asyncio.gather(*(horizon.holdings(account) for account in (accounts.treasury, *accounts.channels)))
    lumens = 2 * _RESERVE + _SPARE
    for account, holdings in zip((accounts.treasury, *accounts.channels), held, strict=True):
        is_treasury = account == accounts.treasury
        if holdings is not None and (not is_treasury or asset in holdings):
            continue
        own.append(account)
        if holdings is not None:
            existing.add(account)
        lumens += 3 * _RESERVE if is_treasury else 2 * _RESERVE + CHANNEL_LUMENS * UNIT
    return Lack(tuple(own), frozenset(existing), lumens)


async def _make(maker: Maker, lack: Lack) -> str:
    """Have it made, after whatever is open; return what was wrong."""
    begun = rested = 0
    while True:
        held = await maker.creations.open(maker.accounts.sponsor)
        if held is None:
            await maker.begin(own=lack.own, existing=lack.existing)
            begun += 1
            continue
        tip = await maker.horizon.tip()
        if tip.ledger != rested:
            rested = tip.ledger
            outcome = await maker.step(held, tip)
            is_done = outcome is not None and bool(held.own_accounts)
            if is_done and (not outcome or begun):
                return outcome or ""
        await asyncio.sleep(_PAUSE_SECONDS)


async def _tell(maker: Maker, say: Say) -> None:
    """Say what the treasury holds: what it does not hold, nobody is paid."""
    holdings = await maker.horizon.holdings(maker.accounts.treasury) or {}
    dollars, lumens = holdings.get(maker.asset, 0), holdings.get(NATIVE, 0)
    say(f"treasury {maker.accounts.treasury} holds {format_amount(dollars)} {ASSET_CODE} and {format_amount(lumens)} XLM")


def _name(account: str, accounts: Accounts) -> str:
    return "treasury" if account == accounts.treasury else f"channel {accounts.channels.index(account) + 1:>2}"
