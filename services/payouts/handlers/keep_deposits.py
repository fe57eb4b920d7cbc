"""Says whose what arrived is, and writes it down with the question to the ledger, in the transaction that moves a cursor."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from libs.common.kernel.clock import Clock
from libs.common.messaging import faults
from libs.common.messaging.batch import outgoing_command
from libs.common.messaging.publisher import Publisher
from libs.common.persistence import outbox
from libs.common.persistence.outbox import Outgoing
from libs.common.persistence.rows import Connection
from services.payouts.domain.deposits import Arrival, Deposit, Ours, Status, deposit_of, number_of
from services.payouts.handlers.deposit_asking import publish, question
from services.payouts.store import deposits

_log = structlog.get_logger("offerhub.scan")


@dataclass(frozen=True, slots=True)
class Keeper:
    """What every way of looking for deposits does with what it has found."""

    pool: asyncpg.Pool
    ours: Ours
    clock: Clock
    publisher: Publisher
    own_queue: str

    async def attribute(self, found: Sequence[Arrival]) -> list[Deposit]:
        """Return those arrivals that are deposits, with their owners."""
        treasury = self.ours.treasury
        addresses = {each.account for each in found} | {each.sender for each in found if each.account == treasury}
        memos = {number for each in found if each.account == treasury and (number := number_of(each.memo)) is not None}
        if not addresses:
            return []
        owners = await deposits.owners(self.pool, self.ours.network, sorted(addresses))
        by_memo = await deposits.owners_by_memo(self.pool, self.ours.network, sorted(memos))
        now = self.clock.now()
        told = (deposit_of(each, self.ours, owners, by_memo, now) for each in found)
        return [each for each in told if each is not None]

    async def keep(self, found: Sequence[Deposit], move: Callable[[Connection], Awaitable[None]]) -> None:
        """Write them down in one transaction with `move`, and ask the ledger about those that were not known.

        Raises:
            ScanMovedError: another process was faster.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            await move(connection)
            fresh = await deposits.add(connection, found)
            news = [self._news(each) for each in fresh if each.status == Status.PENDING]
            if news:
                await outbox.append(connection, news, self.clock.now())
            faults.reach("scan.before_commit")
        faults.reach("scan.committed")
        for each in fresh:
            report = _log.warning if each.status == Status.SUSPENSE else _log.info
            report("deposit.found", deposit_id=each.id, status=each.status, reason=each.reason, operation_id=each.operation_id)
        await publish(self.pool, self.publisher, news)
        faults.reach("scan.published")

    def _news(self, deposit: Deposit) -> Outgoing:
        topology = self.publisher.topology
        return outgoing_command(topology, deposit.tenant, question(deposit), reply_to=self.own_queue)
