"""What the ledger answers when it is asked what happened on a user's accounts."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from libs.common.contracts.queries.ledger import ListEntries
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.ledger import Entry
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal, invalid
from libs.common.kernel.money import CURRENCIES, as_currency, format_amount
from libs.common.messaging.lists import page_of, read_bounds
from libs.common.messaging.queries import Answers, Asked
from services.ledger.domain.history import Line, beginning, newest_first, pinned, read_cursor, with_cursors
from services.ledger.handlers.views import no_user
from services.ledger.store import reads


async def list_entries(pool: asyncpg.Pool, asked: Sequence[Asked[ListEntries]]) -> Answers:
    """Answer with pages of users' histories."""
    return [await _page(pool, item) for item in asked]


def entry_id(line: Line) -> str:
    """Name an entry; the cursor of a page of them is something else."""
    return f"ent_{int(line.posted_at.timestamp() * 1_000_000)}_{line.version}_{line.account_id}"


async def _page(pool: asyncpg.Pool, item: Asked[ListEntries]) -> Page[msgspec.Raw] | Refusal:
    query, tenant = item.query, item.tenant
    bounds = read_bounds(query, currency=CURRENCIES)
    if isinstance(bounds, Refusal):
        return bounds
    start = beginning(query.user_id, None if query.currency is None else as_currency(query.currency))
    positions = start if query.cursor is None else read_cursor(query.cursor, start)
    found = {} if positions is None else await reads.lines(pool, tenant, positions, limit=bounds.limit + 1)
    if not found and not await reads.users(pool, [(tenant, query.user_id)]):
        return no_user(query.user_id)
    if positions is None:
        return invalid("cursor", "not a next_cursor of this list")
    lines = list(itertools.islice(newest_first(found), bounds.limit + 1))
    headings = await reads.headings(pool, tenant, {line.journal_id for line in lines})
    return page_of(_views(with_cursors(lines, pinned(positions, found)), headings), limit=bounds.limit)


def _views(lines: Iterable[tuple[str, Line]], headings: Mapping[str, Any]) -> Iterable[tuple[str, Entry]]:
    for cursor, line in lines:
        heading = headings[line.journal_id]
        yield (
            cursor,
            Entry(
                id=entry_id(line),
                account=line.account_id.split(":")[2],
                currency=heading["currency"],
                kind=heading["kind"],
                amount=format_amount(line.amount),
                balance_after=format_amount(line.balance_after),
                subject=heading["subject"],
                description=heading["description"],
                created_at=wire_time(line.posted_at),
            ),
        )
