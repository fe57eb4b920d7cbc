"""Payouts and the ledger between them, driven over the bus as a gateway drives them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from libs.common.contracts.commands.payouts import ConcludeWithdrawal, CreateWithdrawal
from libs.common.contracts.envelope import Envelope, raw
from libs.common.contracts.queries.payouts import GetWithdrawal
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant, new_id
from libs.common.kernel.money import UNIT
from libs.common.messaging.worker import Worker
from services.payouts.app import build
from services.payouts.domain.withdrawals import Status, Withdrawal
from services.payouts.settings import PayoutsSettings
from tests.support.market import Market, as_process
from tests.support.payouts import PAYOUTS, a_signer

ADDRESS = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"


def a_withdrawal(tenant: Tenant, user_id: str, *, created_at: datetime, **others: Any) -> Withdrawal:
    """A withdrawal's row, of one stroop, in the books and completed unless told otherwise."""
    row = Withdrawal(
        tenant=tenant, id=new_id("wth"), user_id=user_id, amount=1, currency="USD", quoted_currency="USD",
        destination_type="stellar", address=ADDRESS, memo_type=None, memo=None, description=None, metadata=None,
        status=Status.COMPLETED, is_booked=True, waiting_from=None, cancel_requested=False, cancel_reason=None,
        transaction_hash="ab", transaction_ledger=1, failure_code=None, failure_reason=None, version=1, sequence=1, pending=None,
        pending_tries=0, pending_due=None, asked_by=None, needs_approval=False, approved_by=None, hold_until=None, flags=(),
        created_at=created_at, updated_at=created_at,
    )  # fmt: skip
    return msgspec.structs.replace(row, **others)


@dataclass
class Desk(Market):
    """A market with withdrawals; amounts are whole units."""

    @contextlib.asynccontextmanager
    async def payouts(self, **others: Any) -> AsyncIterator[Worker]:
        """Run one payouts process."""
        async with a_signer(self.config.database_url.get_secret_value()) as (signer, _):
            told = {"database_url": self.config.database_url, **PAYOUTS, "signer_socket": signer.signer_socket, **others}
            async with as_process("payouts", build(PayoutsSettings(**told)), self.config) as worker:
                yield worker

    async def withdraw(self, user_id: str, units: int = 50, *, address: str = ADDRESS, **terms: Any) -> str:
        """Take a withdrawal on and return its id."""
        withdrawal_id = new_id("wth")
        await self.do(self.terms(withdrawal_id, user_id, units, address=address, **terms), service="payouts")
        return withdrawal_id

    def terms(
        self, withdrawal_id: str, user_id: str, units: int = 50, *, address: str = ADDRESS, **terms: Any
    ) -> CreateWithdrawal:
        return CreateWithdrawal(withdrawal_id, user_id, units * UNIT, "USD", "USD", "stellar", address, **terms)

    async def shown(self, withdrawal_id: str) -> dict[str, Any]:
        """A withdrawal as it is shown."""
        found: dict[str, Any] = await self.query(GetWithdrawal(withdrawal_id), "payouts")
        return found

    async def sent_from(self, withdrawal_id: str) -> datetime | None:
        """From when on a withdrawal may leave; None: not yet."""
        stored = await self.stored(withdrawal_id)
        return None if stored is None else stored["waiting_from"]

    async def status(self, withdrawal_id: str) -> str:
        return str((await self.shown(withdrawal_id))["status"])

    async def stored(self, withdrawal_id: str) -> asyncpg.Record | None:
        """A withdrawal's row."""
        query = "SELECT * FROM payouts.withdrawals WHERE tenant = $1 AND id = $2"
        return await self.owner.fetchrow(query, self.tenant, withdrawal_id)

    async def send_off(self, withdrawal_id: str) -> None:
        """Put a withdrawal on its way, without any chain."""
        query = "UPDATE payouts.withdrawals SET status = 'PROCESSING', waiting_from = NULL WHERE tenant = $1 AND id = $2"
        await self.owner.execute(query, self.tenant, withdrawal_id)

    async def conclude(self, withdrawal_id: str, ending: str, *, worker: Worker, times: int = 1, **told: Any) -> None:
        """Say what the chain decided, as the engine does, so many times under as many ids."""
        topology = Topology(self.config.bus_prefix, self.config.queue_expires_ms)
        message = msgspec.convert(
            {"withdrawal_id": withdrawal_id, "ending": ending, "transaction_hash": "ab" * 32, "ledger": 7, **told},
            ConcludeWithdrawal,
        )
        for _ in range(times):
            envelope = Envelope(new_id("cmd"), "ConcludeWithdrawal", self.tenant, raw(message))
            await worker.publisher.send(msgspec.json.encode(envelope), exchange=topology.commands.name, routing_key="payouts")
