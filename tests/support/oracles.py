"""What must be true of the books and the buses whatever happened, read from Postgres directly."""

import hashlib
from typing import Any

import asyncpg

from services.ledger.domain.journals import Line, digest_of

_CHECKS: dict[str, str] = {
    "balances add up to nothing per currency": """
        SELECT tenant, currency, sum(balance) FROM ledger.accounts GROUP BY 1, 2 HAVING sum(balance) <> 0""",
    "each journal's entries add up to nothing": """
        SELECT tenant, journal_id, sum(amount) FROM ledger.entries GROUP BY 1, 2 HAVING sum(amount) <> 0""",
    "every entry belongs to a journal": """
        SELECT e.journal_id FROM ledger.entries e
         WHERE NOT EXISTS (SELECT 1 FROM ledger.journals j WHERE j.tenant = e.tenant AND j.id = e.journal_id)""",
    "every balance is the sum of its entries, and its version their number": """
        SELECT a.id, a.balance, a.version, sum(e.amount), count(e.*)
          FROM ledger.accounts a LEFT JOIN ledger.entries e ON e.tenant = a.tenant AND e.account_id = a.id
         GROUP BY a.tenant, a.id, a.balance, a.version
        HAVING a.balance <> coalesce(sum(e.amount), 0) OR a.version <> count(e.*) OR a.version <> coalesce(max(e.version), 0)""",
    "running balances chain": """
        SELECT * FROM (SELECT account_id, version, balance_after,
                              sum(amount) OVER (PARTITION BY tenant, account_id ORDER BY version) AS running
                         FROM ledger.entries) r
         WHERE balance_after <> running""",
    "no floored account is below zero": "SELECT id FROM ledger.accounts WHERE floored AND balance < 0",
    "every accepted journal command has one journal, every refused one none": """
        SELECT i.message_id FROM ledger.inbox i LEFT JOIN ledger.journals j ON j.tenant = i.tenant AND j.id = i.message_id
         WHERE i.type = 'PostJournal'
           AND (position('"refusal"' in convert_from(i.reply, 'UTF8')) = 0) <> (j.id IS NOT NULL)""",
    "no message is left claimed": "SELECT message_id FROM ledger.inbox WHERE state = 'claimed'",
}


async def books_hold(connection: asyncpg.Connection) -> None:
    """Fail unless the ledger's books are whole and their chain verifies."""
    for fact, query in _CHECKS.items():
        broken = await connection.fetch(query)
        assert not broken, f"{fact}: {[tuple(row) for row in broken[:5]]}"
    await digests_hold(connection)
    await chain_holds(connection)


async def digests_hold(connection: asyncpg.Connection) -> None:
    """Fail unless each journal's digest follows from its rows and its entries."""
    lines: dict[tuple[str, str], list[Line]] = {}
    for row in await connection.fetch(
        "SELECT tenant, journal_id, account_id, version, amount, balance_after FROM ledger.entries"
    ):
        lines.setdefault((row[0], row[1]), []).append((row[2], row[3], row[4], row[5]))
    for row in await connection.fetch(
        "SELECT tenant, id, kind, currency, subject, description, posted_at, digest FROM ledger.journals"
    ):
        rebuilt = digest_of(tuple(row)[:6], row["posted_at"], lines[row["tenant"], row["id"]])
        assert row["digest"] == rebuilt, f"journal {row['id']} is not what it was when it was posted"


async def chain_holds(connection: asyncpg.Connection) -> None:
    """Fail unless every link of the batch chain follows from the one before and covers its journals and refusals."""
    digests: dict[str, list[tuple[Any, ...]]] = {}
    for row in await connection.fetch("SELECT batch_id, tenant, id, digest FROM ledger.journals"):
        digests.setdefault(row["batch_id"], []).append((0, row["tenant"], row["id"], row["digest"]))
    for row in await connection.fetch("SELECT batch_id, tenant, message_id, digest FROM ledger.refusals"):
        digests.setdefault(row["batch_id"], []).append((1, row["tenant"], row["message_id"], row["digest"]))
    previous = hashlib.sha256(b"offerhub").digest()
    links = await connection.fetch("SELECT * FROM ledger.batches ORDER BY number")
    for place, link in enumerate(links, 1):
        assert link["number"] == place, "the chain has a gap"
        assert link["prev_hash"] == previous, f"link {place} does not follow the one before"
        content = hashlib.sha256(b"".join(row[3] for row in sorted(digests.pop(link["id"])))).digest()
        assert link["content"] == content, f"link {place} does not cover its journals"
        previous = hashlib.sha256(previous + content).digest()
        assert link["hash"] == previous, f"link {place} is not its own hash"
    assert not digests, f"journals outside the chain: {list(digests)[:5]}"


async def outboxes_are_empty(connection: asyncpg.Connection, *schemas: str) -> bool:
    """Tell whether everything that was decided has been published."""
    for schema in schemas:
        if await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox"):
            return False
    return True
