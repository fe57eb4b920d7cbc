"""What each kind of intent asks to be signed, as the signer reads it from the tables itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from services.payouts.domain.signing import Accounts
from services.payouts.domain.transactions import Expected, Operation, creation, own_accounts

_CREATION: Final = """
SELECT cardinality(c.wallet_ids) AS size, c.source, c.sequence, c.transaction_hash, c.max_time, c.fee_max,
       ARRAY(SELECT w.public_key FROM unnest(c.tenants, c.wallet_ids) WITH ORDINALITY AS n(tenant, wallet_id, place)
               JOIN wallets w ON w.tenant = n.tenant AND w.id = n.wallet_id AND w.network = c.network
              ORDER BY n.place) AS addresses
  FROM creations c WHERE c.id = $1 AND c.network = $2 AND c.state = 'open'
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
    operations = creation(tuple(found["addresses"]), sponsor=place.accounts.sponsor, asset=place.asset)
    return _expected(found, place, operations)


async def set_up(pool: asyncpg.Pool, intent_id: str, place: Place) -> Expected | None:
    """The treasury and the channels, made once a network."""
    found = await pool.fetchrow(_CREATION, intent_id, place.network)
    return None if found is None or found["size"] else _expected(found, place, own_accounts(place.accounts, place.asset))


async def withdrawal(pool: asyncpg.Pool, intent_id: str, place: Place) -> Expected | None:
    """Payments of a slot. Nothing sends withdrawals yet, so there is none."""
    del pool, intent_id, place
    return None


async def sweep(pool: asyncpg.Pool, intent_id: str, place: Place) -> Expected | None:
    """A wallet's balance to the treasury. Nothing sweeps yet, so there is none."""
    del pool, intent_id, place
    return None


RULES: Final[Mapping[str, Rule]] = {
    "create-wallets": create_wallets,
    "set-up": set_up,
    "withdrawal": withdrawal,
    "sweep": sweep,
}


def _expected(found: asyncpg.Record, place: Place, operations: tuple[Operation, ...]) -> Expected | None:
    if found["source"] != place.accounts.sponsor:
        return None
    return Expected(
        transaction_hash=found["transaction_hash"],
        source=found["source"],
        sequence=found["sequence"],
        fee_max=found["fee_max"],
        max_time=found["max_time"],
        operations=operations,
    )
