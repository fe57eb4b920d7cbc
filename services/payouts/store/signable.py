"""What each kind of intent asks to be signed, as the signer reads it from the tables itself."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from services.payouts.domain.signing import Accounts
from services.payouts.domain.slots import BID_MAX
from services.payouts.domain.sweeps import payments
from services.payouts.domain.transactions import NATIVE, Bump, Expected, Operation, Pay, creation, own_accounts

_CREATION: Final = """
SELECT cardinality(c.wallet_ids) AS size, c.own_accounts, c.existing,
       c.source, c.sequence, c.transaction_hash, c.max_time, c.fee_max,
       ARRAY(SELECT w.public_key FROM unnest(c.tenants, c.wallet_ids) WITH ORDINALITY AS n(tenant, wallet_id, place)
               JOIN wallets w ON w.tenant = n.tenant AND w.id = n.wallet_id AND w.network = c.network
              ORDER BY n.place) AS addresses
  FROM creations c WHERE c.id = $1 AND c.network = $2 AND c.state = 'open'
"""
_ENVELOPE: Final = """
SELECT e.channel, e.sequence, e.kind, e.places, e.fee, e.max_time, e.max_ledger, e.hash <> e.inner_hash AS is_bump
  FROM envelopes e JOIN slots s ON s.channel = e.channel AND s.sequence = e.sequence
 WHERE e.hash = $1 AND s.state = 'OPEN'
"""
_PAYMENTS: Final = """
SELECT w.currency, w.address, w.amount, w.memo_type, w.memo, i.source
  FROM slot_items i JOIN withdrawals w ON w.tenant = i.tenant AND w.id = i.withdrawal_id
  LEFT JOIN wallets a ON a.tenant = w.tenant AND a.user_id = w.user_id AND a.public_key = i.source AND a.network = $4
 WHERE i.channel = $1 AND i.sequence = $2 AND i.place = ANY($3::integer[]) AND i.state = 'OPEN'
   AND (i.source IS NULL OR a.public_key IS NOT NULL)
   AND w.is_booked AND w.status = 'PROCESSING' AND w.waiting_from IS NULL
 ORDER BY i.place
"""


_SWEEP: Final = """
SELECT s.account, s.sequence, s.usd, s.xlm, s.bid, s.max_time, s.bump_hash = $1 AS is_bump
  FROM sweeps s
  JOIN wallets w ON w.tenant = s.tenant AND w.id = s.wallet_id AND w.public_key = s.account AND w.network = s.network
 WHERE (s.inner_hash = $1 OR s.bump_hash = $1) AND s.network = $2 AND s.state = 'open'
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the signer signs: the network, its dollar as `CODE:ISSUER`, and the platform's own accounts."""

    network: str
    asset: str
    accounts: Accounts


Rule = Callable[[asyncpg.Pool, str, Place], Awaitable[Expected | None]]
"""Reads an intent by its id; None when there is none that is still open."""


async def create_wallets(pool: asyncpg.Pool, intent_id: str, place: Place) -> Expected | None:
    """Accounts for wallets, reserves paid by the sponsor."""
    found = await pool.fetchrow(_CREATION, intent_id, place.network)
    if found is None or not 0 < found["size"] == len(found["addresses"]):
        return None
    operations = creation(found["addresses"], sponsor=place.accounts.sponsor, asset=place.asset, existing=found["existing"])
    return _expected(found, place, operations)


async def set_up(pool: asyncpg.Pool, intent_id: str, place: Place) -> Expected | None:
    """The treasury and the channels, as far as they lack."""
    found = await pool.fetchrow(_CREATION, intent_id, place.network)
    if found is None or found["size"] or not found["own_accounts"]:
        return None
    if not {place.accounts.treasury, *place.accounts.channels}.issuperset(found["own_accounts"]):
        return None
    return _expected(found, place, own_accounts(found["own_accounts"], place.accounts, place.asset, existing=found["existing"]))


async def withdrawal(pool: asyncpg.Pool, intent_id: str, place: Place) -> Expected | None:
    """Payments of an open slot, or none in a tombstone; the intent is the envelope, by its hash."""
    found = await pool.fetchrow(_ENVELOPE, intent_id)
    if found is None or found["channel"] not in place.accounts.channels:
        return None
    payments = await pool.fetch(_PAYMENTS, found["channel"], found["sequence"], found["places"], place.network)
    if len(payments) != len(found["places"]) or (found["kind"] == "payment") != bool(payments):
        return None
    bid_max = BID_MAX * (max(1, len(payments)) + (1 if found["is_bump"] else 0))
    return Expected(
        transaction_hash=intent_id,
        source=found["channel"],
        sequence=found["sequence"],
        fee_max=min(found["fee"], bid_max),
        fee_source=place.accounts.sponsor if found["is_bump"] else "",
        memo=_memo(payments),
        max_time=found["max_time"],
        max_ledger=found["max_ledger"],
        operations=tuple(_pay(payment, place) for payment in payments) or (Bump(found["channel"], 0),),
    )


async def sweep(pool: asyncpg.Pool, intent_id: str, place: Place) -> Expected | None:
    """What a wallet holds to the treasury and nobody else; the intent is the transaction, or the fee bump, by its hash."""
    found = await pool.fetchrow(_SWEEP, intent_id, place.network)
    if found is None or not intent_id:
        return None
    operations = payments(found["account"], place.accounts.treasury, place.asset, usd=found["usd"], xlm=found["xlm"])
    bid = min(found["bid"], BID_MAX)
    return Expected(
        transaction_hash=intent_id,
        source=found["account"],
        sequence=found["sequence"],
        fee_max=bid * (len(operations) + 1) if found["is_bump"] else 0,
        fee_source=place.accounts.sponsor if found["is_bump"] else "",
        max_time=found["max_time"],
        operations=operations,
    )


RULES: Final[Mapping[str, Rule]] = {
    "create-wallets": create_wallets,
    "set-up": set_up,
    "withdrawal": withdrawal,
    "sweep": sweep,
}


def _pay(payment: asyncpg.Record, place: Place) -> Pay:
    asset = NATIVE if payment["currency"] == "XLM" else place.asset
    return Pay(payment["source"] or place.accounts.treasury, payment["address"], asset, payment["amount"])


def _memo(payments: Sequence[asyncpg.Record]) -> str:
    kind, memo = (payments[0]["memo_type"], payments[0]["memo"]) if len(payments) == 1 else (None, None)
    if kind is None or memo is None:
        return ""
    return f"{kind}:{int(memo) if kind == 'id' else memo.lower() if kind == 'hash' else memo}"


def _expected(found: asyncpg.Record, place: Place, operations: tuple[Operation, ...]) -> Expected | None:
    if found["source"] != place.accounts.sponsor:
        return None
    return Expected(
        transaction_hash=found["transaction_hash"],
        source=found["source"],
        sequence=found["sequence"],
        fee_max=min(found["fee_max"], BID_MAX * len(operations)),
        max_time=found["max_time"],
        operations=operations,
    )
