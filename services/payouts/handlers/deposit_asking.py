"""How payouts asks the ledger about a deposit."""

from collections.abc import Sequence

import asyncpg

from libs.common.kernel.money import as_currency
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.use_cases import Send
from libs.common.persistence import outbox
from libs.common.persistence.outbox import Outgoing
from services.payouts.domain.deposits import PREFIX, Deposit, journal, journal_id
from services.payouts.domain.withdrawals import reference_of
from services.payouts.store.deposits import Due


def question(deposit: Deposit | Due) -> Send:
    """Make the question to the ledger; the same attempt always makes the same one."""
    deposit_id = deposit.id if isinstance(deposit, Deposit) else deposit.deposit_id
    command = journal(deposit_id, deposit.user_id, as_currency(deposit.currency or ""), deposit.amount, deposit.transaction_hash)
    reference = reference_of(deposit_id, deposit.user_id, deposit.version)
    return Send("ledger", journal_id(deposit.tenant, deposit_id, deposit.version), command, reference)


def is_about_a_deposit(reference: str) -> bool:
    """Tell whether an answer is to such a question."""
    return reference.startswith(f"{PREFIX}_")


async def publish(pool: asyncpg.Pool, publisher: Publisher, messages: Sequence[Outgoing]) -> None:
    """Send what was just committed with its outbox rows; the relay sends what is not confirmed."""
    if not messages:
        return
    bodies = [message.body for message in messages]
    await publisher.send_all(bodies, exchange=messages[0].exchange, routing_key=messages[0].routing_key)
    async with pool.acquire() as connection:
        await outbox.remove(connection, [message.id for message in messages])
