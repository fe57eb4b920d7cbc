"""What a page of withdrawals costs: the rows it shows and a handful more, with any filter."""

from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.queries.payouts import ListWithdrawals
from libs.common.kernel.ids import Tenant
from services.payouts.domain.withdrawals import Status, Withdrawal
from services.payouts.handlers.read_withdrawals import list_withdrawals
from services.payouts.store.withdrawals import WITHDRAWALS
from tests.integration.lists.conftest import OpenPool
from tests.support import lists
from tests.support.costs import Listed, analyze, three_tenants
from tests.support.lists import at
from tests.support.withdrawals import a_withdrawal

pytestmark = pytest.mark.integration
ROWS = 1_500
RARE = (Status.PENDING, Status.PROCESSING, Status.FAILED, Status.CANCELED)
FILTERS: list[dict[str, Any]] = [
    {},
    *({"status": str(status)} for status in Status),
    {"user_id": "usr_rare"},
    {"user_id": "usr_rare", "status": "COMPLETED"},
    {"user_id": "usr_nobody"},
    {"created_before": at(7).isoformat()},
    {"created_after": at(3).isoformat(), "created_before": at(9).isoformat(), "status": "COMPLETED"},
]


def _row(tenant: Tenant, place: int) -> Withdrawal:
    """One of many; what is filtered for is the oldest, and every tenth is not in the books yet."""
    status = RARE[place % 4] if place < 40 else Status.COMPLETED
    user_id = "usr_rare" if place % 3 == 0 and place < 60 else f"usr_{place}"
    is_booked = place % 10 != 0
    return a_withdrawal(tenant, user_id, status=status, is_booked=is_booked, created_at=at(place // 2), updated_at=at(place))


async def test_a_page_of_withdrawals_reads_what_it_shows(owner: asyncpg.Connection, pool_of: OpenPool) -> None:
    tenants = three_tenants()
    rows = {tenant: [_row(tenant, place) for place in range(ROWS)] for tenant in tenants}
    await lists.put(owner, "payouts", WITHDRAWALS, [row for made in rows.values() for row in made])
    await analyze(owner, "payouts.withdrawals")
    booked = [row for row in rows[tenants[1]] if row.is_booked]
    newest = sorted(booked, key=lambda row: (row.created_at, row.id), reverse=True)
    async with pool_of("payouts") as pool:
        listed = Listed(list_withdrawals, pool, tenants[1], ListWithdrawals)
        for filters in FILTERS:
            wanted = msgspec.convert(filters, ListWithdrawals)
            expected = [
                row.id
                for row in newest
                if wanted.status in (None, row.status)
                and wanted.user_id in (None, row.user_id)
                and (wanted.created_after or "") <= row.created_at.isoformat() < (wanted.created_before or "3000")
            ]
            await listed.is_cheap(filters, expected)
