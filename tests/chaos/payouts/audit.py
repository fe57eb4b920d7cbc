"""Compares the network's own account of what was paid with the books, the slots, the events and what clients were told."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from libs.common.contracts.topology import Topology
from services.payouts.store.signatures import first_broken
from tests.chaos.audit import Verdict, no_dead_letters
from tests.chaos.payouts.chain import Network, Paid, Taken
from tests.chaos.payouts.load import World
from tests.support.oracles import books_hold, events_hold, records_hold, waiting

PENDING_SECONDS: Final = 180.0
_SHOWN: Final = 3
_IN_PAYOUTS: Final = {"search_path": "payouts"}
_OURS: Final = "SELECT public_key FROM payouts.wallets"
_TREASURY: Final = "SELECT account FROM payouts.deposits WHERE status = 'SUSPENSE' ORDER BY operation_id LIMIT 1"
_PENDING: Final = {
    "withdrawals": "SELECT count(*) FROM payouts.withdrawals WHERE status IN ('PENDING', 'PROCESSING') OR pending IS NOT NULL",
    "deposits": "SELECT count(*) FROM payouts.deposits WHERE status = 'PENDING'",
    "slots": "SELECT count(*) FROM payouts.slots WHERE state = 'OPEN'",
    "creations": "SELECT count(*) FROM payouts.creations WHERE state = 'open'",
    "accounts": "SELECT count(*) FROM payouts.wallets WHERE chain_state <> 'READY'",
}
_CREDITED: Final = """
SELECT a.public_key, j.currency, e.amount, count(*) FROM ledger.journals j
  JOIN ledger.entries e ON e.tenant = j.tenant AND e.journal_id = j.id
  JOIN payouts.wallets a ON a.tenant = j.tenant AND a.user_id = split_part(e.account_id, ':', 2)
 WHERE j.kind = 'deposit' AND e.amount > 0 GROUP BY 1, 2, 3
"""
_JOURNALS: Final = """
SELECT w.id, w.status, array_agg(j.kind ORDER BY j.kind) FROM payouts.withdrawals w
  LEFT JOIN ledger.journals j ON j.tenant = w.tenant AND j.subject = w.id WHERE w.is_booked GROUP BY 1, 2
"""
_EVENTS: Final = """
SELECT split_part(aggregate, ':', 2) AS id, array_agg(type ORDER BY sequence) AS types FROM webhooks.event_log
 WHERE aggregate LIKE 'withdrawal:%' GROUP BY 1
"""
_LONGEST: Final = """
SELECT coalesce(max(extract(epoch FROM updated_at - created_at)), 0)::float8 FROM payouts.withdrawals WHERE is_booked
"""
_UNKEPT: Final = """
SELECT count(*) FROM payouts.wallets w
 WHERE sealed_secret <> '' OR NOT EXISTS (SELECT FROM payouts.wallet_secrets s WHERE s.tenant = w.tenant AND s.wallet_id = w.id
                                             AND s.public_key = w.public_key)
"""
_ENDINGS: Final = {"COMPLETED": "withdrawal.completed", "FAILED": "withdrawal.failed", "CANCELED": "withdrawal.canceled"}


@dataclass
class Evidence:
    """Everything an oracle may look at."""

    database: asyncpg.Connection
    world: World
    initial: Counter[str]
    """What our accounts held before anybody came."""
    pace: float
    """Seconds of the network's clock in one of ours."""
    database_url: str
    amqp_url: str
    topology: Topology
    paid: list[Paid] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    ours: set[str] = field(default_factory=set)
    rows: list[asyncpg.Record] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)


Oracle = Callable[[Evidence], Awaitable[None]]


async def examine(evidence: Evidence) -> list[Verdict]:
    """Ask every oracle."""
    evidence.paid, evidence.taken = await evidence.world.network.all()
    evidence.ours = await _ours(evidence.database)
    evidence.rows = await evidence.database.fetch("SELECT * FROM payouts.withdrawals WHERE is_booked")
    verdicts = []
    for fact, oracle in ORACLES.items():
        try:
            await oracle(evidence)
        except AssertionError as error:
            verdicts.append(Verdict(fact, str(error)))
        else:
            verdicts.append(Verdict(fact, ""))
    return verdicts


async def held_by(network: Network, database: asyncpg.Connection) -> Counter[str]:
    """Add up what our accounts hold on the network, in stroops, by currency."""
    ours = await _ours(database)
    held: Counter[str] = Counter()
    for account, lines in (await network.balances()).items():
        if account in ours:
            held.update(lines)
    return held


async def pending_in_payouts(database: asyncpg.Connection) -> dict[str, int]:
    """Count what is on its way between the chain and the books."""
    counts = {what: int(await database.fetchval(query)) for what, query in _PENDING.items()}
    return {what: count for what, count in counts.items() if count}


async def _ours(database: asyncpg.Connection) -> set[str]:
    treasury = await database.fetchval(_TREASURY)
    assert treasury, "the treasury's own money was not seen"
    return {row[0] for row in await database.fetch(_OURS)} | {treasury}


async def _paid_once(evidence: Evidence) -> None:
    out: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for each in evidence.paid:
        if each.source in evidence.ours and each.to not in evidence.ours:
            out[each.to, each.currency, each.amount].append(each.transaction)
    wrong = []
    for row in evidence.rows:
        found = out.pop((row["address"], row["currency"], row["amount"]), [])
        wanted = [row["transaction_hash"]] if row["status"] == "COMPLETED" else []
        if found != wanted or row["status"] not in _ENDINGS:
            wrong.append(f"{row['id']} is {row['status']} by {row['transaction_hash']}, the chain paid it in {found}")
    assert not wrong, f"{len(wrong)} of {len(evidence.rows)}: {'; '.join(wrong[:_SHOWN])}"
    assert not out, f"paid, and nobody asked for it: {list(out.items())[:_SHOWN]}"
    counts = Counter(row["status"] for row in evidence.rows)
    evidence.figures |= {
        "withdrawals": f"{len(evidence.rows):,}",
        "paid by the chain": f"{counts['COMPLETED']:,}",
        "given back: refused by the chain, called off": f"{counts['FAILED']:,}, {counts['CANCELED']:,}",
    }


async def _asked_for(evidence: Evidence) -> None:
    stored = {row["id"]: (row["user_id"], row["address"], row["currency"], row["amount"]) for row in evidence.rows}
    told = {each.id: (each.user_id, each.to, each.currency, each.amount) for each in evidence.world.asked}
    missing = [each for each, terms in told.items() if stored.get(each) != terms]
    assert not missing, f"accepted and not there: {missing[:_SHOWN]}"
    assert len(stored) == len(told), f"there and never accepted: {sorted(stored.keys() - told.keys())[:_SHOWN]}"
    assert not evidence.world.desk.breaches, "; ".join(evidence.world.desk.breaches[:_SHOWN])
    assert not evidence.world.desk.unanswered, f"no final answer under {sorted(evidence.world.desk.unanswered)[:_SHOWN]}"


async def _booked_once(evidence: Evidence) -> None:
    for row in await evidence.database.fetch(_JOURNALS):
        wanted = ["settle", "withdraw"] if row[1] == "COMPLETED" else ["return", "withdraw"]
        assert row[2] == wanted, f"{row[0]} is {row[1]} and has the journals {row[2]}"


async def _credited_once(evidence: Evidence) -> None:
    came = Counter((each.to, each.currency, each.amount) for each in evidence.paid if each.to in evidence.ours)
    treasury = await evidence.database.fetchval(_TREASURY)
    came = Counter({key: count for key, count in came.items() if key[0] != treasury})
    credited = Counter({(row[0], row[1], row[2]): row[3] for row in await evidence.database.fetch(_CREDITED)})
    wrong = list(((came - credited) + (credited - came)).items())
    assert not wrong, f"{len(wrong)} differ, came {came.total()} and credited {credited.total()}: {wrong[:_SHOWN]}"
    evidence.figures["deposits"] = f"{came.total():,}"


async def _to_the_stroop(evidence: Evidence) -> None:
    held = await held_by(evidence.world.network, evidence.database)
    query = "SELECT currency, sum(balance)::bigint FROM ledger.accounts WHERE id LIKE 'external:stellar:%' GROUP BY 1"
    booked = Counter({row[0]: -row[1] for row in await evidence.database.fetch(query)})
    for currency in ("USD", "XLM"):
        grown = held[currency] - evidence.initial[currency]
        assert grown == booked[currency], f"the chain holds {grown} more {currency}, the books say {booked[currency]}"
        evidence.figures[f"{currency} that came and stayed, in stroops, by chain and books"] = f"{grown:,}"


async def _slots(evidence: Evidence) -> None:
    took: dict[str, dict[int, str]] = defaultdict(dict)
    for each in evidence.taken:
        took[each.source][each.sequence] = each.transaction
    for channel, following, is_quarantined in await evidence.database.fetch(
        "SELECT public_key, next_sequence, is_quarantined FROM payouts.channels"
    ):
        assert not is_quarantined, f"{channel} is quarantined"
        query = "SELECT sequence, transaction_hash FROM payouts.slots WHERE channel = $1"
        slots = {row[0]: row[1] for row in await evidence.database.fetch(query, channel)}
        assert slots == took[channel], f"{channel} has {len(slots)} slots, and {len(took[channel])} transactions, not the same"
        sequence = await evidence.world.network.sequence(channel)
        assert not slots or sequence == following - 1 == max(slots), f"{channel} is at {sequence}, our next is {following}"
        assert not slots or len(slots) == max(slots) - min(slots) + 1, f"{channel} skipped a number"
    count = "SELECT count(*), count(*) FILTER (WHERE state = 'FAILED'), count(*) FILTER (WHERE state = 'VOID') FROM payouts.slots"
    [slots_row] = await evidence.database.fetch(count)
    made = await evidence.database.fetchval("SELECT count(*) FROM payouts.envelopes")
    evidence.figures["slots: all, failed, tombstones"] = ", ".join(f"{each:,}" for each in slots_row)
    evidence.figures["envelopes that were made for them"] = f"{made:,}"


async def _pending(evidence: Evidence) -> None:
    longest = evidence.pace * await evidence.database.fetchval(_LONGEST)
    evidence.figures["longest withdrawal, seconds of the network's clock"] = f"{longest:.0f}"
    assert longest <= PENDING_SECONDS, f"one took {longest:.0f} s"


async def _events(evidence: Evidence) -> None:
    await events_hold(evidence.database)
    told = {
        row["id"]: [each for each in row["types"] if each != "withdrawal.flagged"]
        for row in await evidence.database.fetch(_EVENTS)
    }
    wanted = {row["id"]: ["withdrawal.created", _ENDINGS.get(row["status"], "")] for row in evidence.rows}
    wrong = [each for each in wanted.keys() | told.keys() if wanted.get(each) != told.get(each)]
    assert not wrong, f"{len(wrong)} differ: {wrong[0]} has {told.get(wrong[0])}, and should have {wanted.get(wrong[0])}"


async def _books(evidence: Evidence) -> None:
    await books_hold(evidence.database)
    await records_hold(evidence.database)


async def _rest(evidence: Evidence) -> None:
    left: dict[str, Any] = await waiting(evidence.database) | await pending_in_payouts(evidence.database)
    assert not left, f"still under way: {left}"


async def _suspense(evidence: Evidence) -> None:
    query = "SELECT count(*) FROM payouts.deposits WHERE status = 'SUSPENSE' AND account <> ($TREASURY)"
    count = await evidence.database.fetchval(query.replace("$TREASURY", _TREASURY))
    assert not count, f"{count} deposits are nobody's"


async def _dead_letters(evidence: Evidence) -> None:
    await no_dead_letters(evidence.amqp_url, evidence.topology)


async def _keys(evidence: Evidence) -> None:
    count = await evidence.database.fetchval(_UNKEPT)
    assert not count, f"{count} wallets have no key with the signer"
    query = "SELECT count(*), count(*) FILTER (WHERE tenant LIKE 'chaos-before%') FROM payouts.wallets"
    [counts] = await evidence.database.fetch(query)
    evidence.figures["wallets, and how many of them were taken over from an older version"] = ", ".join(f"{n:,}" for n in counts)


async def _log_of_signer(evidence: Evidence) -> None:
    async with asyncpg.create_pool(evidence.database_url, min_size=1, max_size=1, server_settings=_IN_PAYOUTS) as pool:
        broken = await first_broken(pool)
    assert broken is None, f"line {broken} does not follow from the one before"
    refused = await evidence.database.fetchval("SELECT count(*) FROM payouts.signatures WHERE outcome <> 'signed'")
    evidence.figures["signatures, requests refused by the signer"] = (
        f"{await evidence.database.fetchval('SELECT count(*) FROM payouts.signatures'):,}, {refused:,}"
    )


ORACLES: Final[dict[str, Oracle]] = {
    "Each withdrawal was paid exactly once or given back exactly once, by the chain's account; nothing else was paid": _paid_once,
    "Each accepted request is a withdrawal, as it was asked for, and every repeat got the same answer": _asked_for,
    "Its journals are one debit and one settlement, or one debit and one return": _booked_once,
    "Each payment to a wallet was credited exactly once, to the stroop": _credited_once,
    "The sum of our accounts on the chain is the sum of the books, to the stroop": _to_the_stroop,
    "Each sequence number of each channel is one slot, closed by the transaction that took it": _slots,
    f"No withdrawal took more than {PENDING_SECONDS:g} s of the network's clock": _pending,
    "Each withdrawal has its events once and in order, and so has everything else": _events,
    "Debits equal credits, every balance follows from its entries, digests and chains verify": _books,
    "Nothing waits: no withdrawal, deposit, slot, account, intent, inbox row, outbox row or early event": _rest,
    "No deposit is nobody's": _suspense,
    "No dead letter": _dead_letters,
    "Every wallet's key is with the signer, those of an older version too": _keys,
    "The signer's log follows line by line": _log_of_signer,
}
