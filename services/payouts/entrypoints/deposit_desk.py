"""`python -m services.payouts deposits`: what was compared, what waits, and what a person says about it."""

import sys
from collections.abc import Sequence
from typing import Final

import asyncpg

from libs.common.kernel.clock import SystemClock
from libs.common.kernel.money import format_amount
from libs.common.messaging.worker import database_url
from libs.common.persistence.pool import open_pool
from services.payouts.handlers.scan_accounts import ALARM_TRIES
from services.payouts.settings import PayoutsSettings
from services.payouts.store import account_scans, suspense, tallies

USAGE: Final = "usage: python -m services.payouts deposits [credit DEPOSIT TENANT USER | keep DEPOSIT | accept ACCOUNT]\n"


async def deposits(settings: PayoutsSettings, asked: Sequence[str]) -> int:
    """Do what was asked; 1 when it could not be done, 2 when it was not understood."""
    url = database_url(settings, "payouts")
    pool = await open_pool(url, schema="payouts", size=1, application="offerhub-deposits")
    try:
        match asked:
            case []:
                sys.stdout.write(await _report(pool, settings.network))
                return 0
            case ["credit", deposit_id, tenant, user_id]:
                is_done = await suspense.credit(pool, deposit_id, tenant, user_id, SystemClock().now())
            case ["keep", deposit_id]:
                is_done = await suspense.keep(pool, deposit_id)
            case ["accept", account]:
                is_done = await account_scans.accept(pool, settings.network, account, SystemClock().now())
            case _:
                sys.stderr.write(USAGE)
                return 2
    finally:
        await pool.close()
    sys.stdout.write("done\n" if is_done else f"{asked[1]} does not wait, or is nothing that the books keep\n")
    return 0 if is_done else 1


async def _report(pool: asyncpg.Pool, network: str) -> str:
    lines = [
        f"{each.currency}: {format_amount(each.held)} on the chain, {format_amount(each.booked)} booked, "
        f"{format_amount(each.unbooked)} in suspense or kept, difference {format_amount(each.difference)} "
        f"(ledger {each.ledger}, {each.compared_at:%Y-%m-%d %H:%M:%S} UTC)"
        for each in await tallies.last(pool, network)
    ]
    lines += [
        f"{each.id} {each.reason}: {format_amount(each.amount)} {each.asset} from {each.sender}, "
        f"memo {each.memo or 'none'}, {each.closed_at:%Y-%m-%d %H:%M:%S} UTC, transaction {each.transaction_hash}"
        for each in await suspense.waiting(pool, network)
    ]
    lines += [f"{account} {trouble}" for account, trouble in await account_scans.troubled(pool, network, ALARM_TRIES)]
    return "".join(f"{line}\n" for line in lines) or "nothing was compared yet, and nothing waits\n"
