"""Asks the ledger again for what it has not answered: the same journal id, so that it moves money once."""

import asyncio
from typing import Final, NamedTuple

import asyncpg
import structlog
from prometheus_client import Gauge

from libs.common.messaging import faults
from libs.common.messaging.batch import outgoing_command
from libs.common.messaging.use_cases import Send
from libs.common.messaging.worker import Parts
from services.payouts.domain.withdrawals import RESEND_AFTER
from services.payouts.handlers.deposit_asking import question as question_of_deposit
from services.payouts.handlers.withdrawal_asking import question
from services.payouts.store import channels, deposits, withdrawals

INTERVAL_SECONDS: Final = 1.0
BATCH_ROWS: Final = 200
LONGEST_WAIT_SECONDS: Final = 60.0
ALARM_TRIES: Final = 20
"""About a quarter of an hour of asking: a person must look."""
SLOT_OLDEST: Final = Gauge("offerhub_slots_oldest_seconds", "How long the oldest slot has been open")
QUARANTINED: Final = Gauge("offerhub_channels_quarantined", "Channels that nobody uses until a person has looked")
UNAPPROVED_OLDEST: Final = Gauge(
    "offerhub_withdrawals_unapproved_oldest_seconds", "How long the oldest withdrawal has waited for its approval"
)
_log = structlog.get_logger("offerhub.sweeper")


class Again(NamedTuple):
    """A question to the ledger that was not answered, to be asked for the `tries`th time."""

    tenant: str
    command: Send
    tries: int


async def sweep(parts: Parts) -> None:
    """Look once a second until cancelled."""
    while True:
        try:
            while await sweep_once(parts) == BATCH_ROWS:
                pass
            await _measure(parts)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("sweeper.trouble", error=repr(error))
        await asyncio.sleep(INTERVAL_SECONDS)


async def sweep_once(parts: Parts) -> int:
    """Send the questions again that are due, and return how many were; one that can't be sent now is due again later."""
    now = parts.clock.now()
    waits = {"first": RESEND_AFTER.total_seconds(), "longest": LONGEST_WAIT_SECONDS}
    leaving = await withdrawals.take_due(parts.pool, now=now, limit=BATCH_ROWS, **waits)
    coming = await deposits.take_due(parts.pool, now=now, limit=BATCH_ROWS, **waits)
    again = [Again(due.tenant, question(due.withdrawal_id, due.user_id, due.intent), due.tries) for due in leaving]
    again += [Again(due.tenant, question_of_deposit(due), due.tries) for due in coming]
    if not again:
        return 0
    faults.reach("intent.resend")
    sent: list[asyncio.Future[None]] = []
    for item in again:
        report = _log.error if item.tries >= ALARM_TRIES else _log.warning
        report("intent.resent", journal_id=item.command.message_id, about=item.command.reference, tries=item.tries)
        message = outgoing_command(parts.publisher.topology, item.tenant, item.command, reply_to=parts.own_queue)
        sent.append(parts.publisher.send(message.body, exchange=message.exchange, routing_key=message.routing_key))
    for outcome in await asyncio.gather(*sent, return_exceptions=True):
        if outcome is not None:
            _log.warning("intent.not_sent", error=repr(outcome))
    return max(len(leaving), len(coming))


async def _measure(parts: Parts) -> None:
    since, quarantined = await channels.standing(parts.pool)
    SLOT_OLDEST.set(0 if since is None else max(0, int((parts.clock.now() - since).total_seconds())))
    QUARANTINED.set(quarantined)
    unapproved = await withdrawals.oldest_unapproved(parts.pool)
    UNAPPROVED_OLDEST.set(0 if unapproved is None else max(0, int((parts.clock.now() - unapproved).total_seconds())))
