"""What must be true of the books and the buses whatever happened, read from Postgres directly."""

import hashlib
from typing import Any

import asyncpg

from services.gateway.domain.records import Record, record_hash
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


async def records_hold(connection: asyncpg.Connection) -> None:
    """Fail unless every recorded request has ended, is what it was when it was sealed, and stands in a batch of the chain."""
    sealed: dict[str, list[bytes]] = {}
    for row in await connection.fetch("SELECT * FROM gateway.requests"):
        assert row["state"] == "completed", f"request {row['id']} has no end"
        instants = {name: round(row[name].timestamp() * 1_000_000) for name in ("started_at", "completed_at")}
        found = record_hash(Record(**{name: row[name] for name in Record.__struct_fields__} | instants))
        assert row["record_hash"] == found, f"request {row['id']} is not what it was when it was sealed"
        sealed.setdefault(row["batch_id"], []).append(found)
    previous = b"\0" * 32
    for place, link in enumerate(await connection.fetch("SELECT * FROM gateway.request_batches ORDER BY position"), 1):
        assert link["position"] == place, "the chain of requests has a gap"
        digest = hashlib.sha256(b"".join(sorted(sealed.pop(link["id"])))).digest()
        previous = hashlib.sha256(previous + digest).digest()
        assert (link["digest"], link["hash"]) == (digest, previous), f"batch {place} of requests is not what it was"
    assert not sealed, f"requests outside the chain: {list(sealed)[:5]}"


async def outboxes_are_empty(connection: asyncpg.Connection, *schemas: str) -> bool:
    """Tell whether everything that was decided has been published."""
    for schema in schemas:
        if await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox"):
            return False
    return True


_EVENT_CHECKS: dict[str, str] = {
    "each aggregate's sequences are 1, 2, 3 … without a gap": """
        SELECT tenant, aggregate, count(*), min(sequence), max(sequence) FROM webhooks.event_log GROUP BY 1, 2
        HAVING count(*) <> max(sequence) OR min(sequence) <> 1 OR count(DISTINCT sequence) <> count(*)""",
    "an aggregate's events are logged in sequence": """
        SELECT aggregate, position FROM (SELECT aggregate, position, sequence,
               row_number() OVER (PARTITION BY tenant, aggregate ORDER BY position) AS place FROM webhooks.event_log) e
         WHERE sequence <> place""",
    "positions are contiguous per tenant and end at the log's head": """
        SELECT e.tenant, count(*), max(e.position), h.position
          FROM webhooks.event_log e LEFT JOIN webhooks.log_heads h USING (tenant)
         GROUP BY e.tenant, h.position HAVING count(*) <> max(e.position) OR max(e.position) IS DISTINCT FROM h.position""",
    "every change of an order, a user, a balance, a wallet, a withdrawal and an endpoint has its event": """
        WITH rows AS (
            SELECT tenant, 'order:' || id AS aggregate, sequence FROM escrow.orders
            UNION ALL SELECT tenant, 'user:' || id, sequence FROM ledger.users
            UNION ALL SELECT tenant, 'balance:' || regexp_replace(id, '^user:(.*):available:(.*)$', '\\1:\\2'), sequence
                        FROM ledger.accounts WHERE purpose = 'available'
            UNION ALL SELECT tenant, 'wallet:' || id, sequence FROM payouts.wallets
            UNION ALL SELECT tenant, 'withdrawal:' || id, sequence FROM payouts.withdrawals
            UNION ALL SELECT tenant, 'webhook:' || id, sequence FROM webhooks.endpoints
        ), logged AS (SELECT tenant, aggregate, max(sequence) AS sequence FROM webhooks.event_log GROUP BY 1, 2)
        SELECT aggregate, rows.sequence, logged.sequence FROM rows FULL JOIN logged USING (tenant, aggregate)
         WHERE coalesce(rows.sequence, 0) <> coalesce(logged.sequence, 0)""",
    "every journal that moves a user's money has its balance events": """
        WITH told AS (
            SELECT tenant, convert_from(body, 'UTF8')::jsonb #>> '{data,journal_id}' AS journal_id, count(*) AS events
              FROM webhooks.event_log WHERE type LIKE 'balance.%' GROUP BY 1, 2
        ), moved AS (
            SELECT e.tenant, e.journal_id, count(DISTINCT a.holder) AS users FROM ledger.entries e
              JOIN (SELECT tenant, id, split_part(id, ':', 2) AS holder FROM ledger.accounts
                     WHERE purpose IN ('available', 'reserved')) a ON a.tenant = e.tenant AND a.id = e.account_id
             GROUP BY 1, 2)
        SELECT journal_id, moved.users, told.events FROM moved FULL JOIN told USING (tenant, journal_id)
         WHERE coalesce(moved.users, 0) <> coalesce(told.events, 0)""",
}

_WAITING: dict[str, str] = {
    "orders with an intent under way": "SELECT count(*) FROM escrow.orders WHERE pending IS NOT NULL",
    "requests without an end": "SELECT count(*) FROM gateway.requests WHERE state = 'in_progress'",
    "early events": "SELECT count(*) FROM webhooks.event_gaps",
    "deliveries": "SELECT count(*) FROM webhooks.deliveries WHERE state = 'PENDING'",
    "users without a wallet": """
        SELECT count(*) FROM ledger.users u
         WHERE NOT EXISTS (SELECT 1 FROM payouts.wallets w WHERE (w.tenant, w.user_id) = (u.tenant, u.id))""",
} | {
    f"{what} of {schema}": f"SELECT count(*) FROM {schema}.{what} {where}"
    for schema in ("ledger", "escrow", "payouts", "webhooks")
    for what, where in (("outbox", ""), ("inbox", "WHERE state <> 'answered'"))
}


async def events_hold(connection: asyncpg.Connection) -> None:
    """Fail unless every change is in the event log once, in sequence and without gaps."""
    for fact, query in _EVENT_CHECKS.items():
        broken = await connection.fetch(query)
        assert not broken, f"{fact}: {[tuple(row) for row in broken[:5]]}"


async def waiting(connection: asyncpg.Connection) -> dict[str, int]:
    """Count what is still under way, by what it is; empty when the whole platform is at rest."""
    counts = {what: int(await connection.fetchval(query)) for what, query in _WAITING.items()}
    return {what: count for what, count in counts.items() if count}
