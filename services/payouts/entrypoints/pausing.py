"""`python -m services.payouts pause USD "why"`, `… resume USD` and `… pauses`: what a person says about an asset."""

from collections.abc import Sequence

from libs.common.kernel.clock import SystemClock, wire_time
from libs.common.kernel.money import CURRENCIES
from libs.common.messaging.worker import database_url
from libs.common.persistence.pool import open_pool
from services.payouts.settings import PayoutsSettings
from services.payouts.store import pauses


async def change(settings: PayoutsSettings, arguments: Sequence[str]) -> str:
    """Do it, and return what there is to tell: every pause there is now.

    Raises:
        ValueError: the words make no command.
    """
    usage = f'pause {"|".join(CURRENCIES)} "why", resume {"|".join(CURRENCIES)}, or pauses'
    command, currency, reason = (*arguments, "", "")[:3]
    is_right = len(arguments) == {"pause": 3, "resume": 2, "pauses": 1}.get(command)
    if not is_right or (currency and currency not in CURRENCIES):
        raise ValueError(usage)
    pool = await open_pool(database_url(settings, "payouts"), schema="payouts", size=1, application="offerhub-pausing")
    try:
        if reason:
            await pauses.pause(pool, currency, "operator", reason, SystemClock().now())
        elif currency:
            await pauses.resume(pool, currency, "operator")
        found = await pauses.paused(pool)
    finally:
        await pool.close()
    lines = [
        f"{record['currency']} since {wire_time(record['since'])} ({record['cause']}): {record['reason']}" for record in found
    ]
    return "\n".join(lines) or "no asset is paused"
