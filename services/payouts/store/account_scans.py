"""How far each account of ours has been looked through, what it held then by its own pages, and when it is looked at again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from libs.common.kernel.money import Currency
from libs.common.persistence.rows import Connection
from services.payouts.store.scans import ScanMovedError

_REGISTER: Final = """
INSERT INTO account_scans (network, account, cursor, usd, xlm, sign_at, due_at)
SELECT w.network, w.public_key, 0, 0, 0, w.created_at, $2 FROM wallets w
 WHERE w.network = $1 AND NOT EXISTS (SELECT FROM account_scans a WHERE a.network = $1 AND a.account = w.public_key)
ON CONFLICT DO NOTHING
"""
_REGISTER_TREASURY: Final = """
INSERT INTO account_scans (network, account, cursor, sign_at, due_at) VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING
"""
# Those where something happened last come first: what is left of the hour's requests is not spent on the quiet ones.
_DUE: Final = """
SELECT account, cursor, usd, xlm, ledger, sign_at, tries, is_accepted FROM account_scans
 WHERE network = $1 AND due_at <= $2 ORDER BY sign_at DESC LIMIT $3
"""
_ADVANCE: Final = """
UPDATE account_scans
   SET cursor = $5, usd = $6, xlm = $7, ledger = $8, sign_at = $9, due_at = $10, tries = 0, trouble = NULL, is_accepted = false
 WHERE network = $1 AND account = $2 AND cursor = $3 AND ledger = $4
"""
_POSTPONE: Final = """
UPDATE account_scans
   SET due_at = $4, trouble = coalesce($5, trouble), tries = CASE WHEN $5::text IS NULL THEN tries ELSE tries + 1 END
 WHERE network = $1 AND account = $2 AND cursor = $3
"""
_CHANGED: Final = """
UPDATE account_scans a SET due_at = $4 FROM unnest($2::text[], $3::bigint[]) AS u(account, modified)
 WHERE a.network = $1 AND a.account = u.account AND a.ledger < u.modified AND a.due_at > $4
"""
_SHOWN: Final = """
UPDATE account_scans SET sign_at = now(), due_at = least(due_at, now())
 WHERE network = $1 AND account = ANY($2::text[]) AND sign_at < now() - interval '5 seconds'
"""
_ACCEPT: Final = "UPDATE account_scans SET is_accepted = true, due_at = $3 WHERE network = $1 AND account = $2 AND tries > 0"
_STANDING: Final = """
SELECT min(due_at), count(*) FILTER (WHERE tries >= $2) FROM account_scans WHERE network = $1
"""
_TROUBLED: Final = "SELECT account, trouble FROM account_scans WHERE network = $1 AND tries >= $2 ORDER BY account"
_LOOKED: Final = "SELECT account, ledger FROM account_scans WHERE network = $1"


@dataclass(frozen=True, slots=True)
class Looked:
    """An account as it was last looked at."""

    account: str
    cursor: int
    """Horizon's number of the last transaction that is in the balance."""
    usd: int | None
    """Stroops that it held then; None: nobody has looked yet, and it is no wallet, so it may have held something before."""
    xlm: int | None
    ledger: int
    sign_at: datetime
    """When something last came or went, or its address was shown."""
    tries: int
    is_accepted: bool
    """A person said that what it holds is right, whatever its pages say."""

    @property
    def held(self) -> Mapping[Currency, int] | None:
        """What it held."""
        return None if self.usd is None or self.xlm is None else {"USD": self.usd, "XLM": self.xlm}


class Standing(NamedTuple):
    """How the scan of accounts is doing."""

    oldest_due: datetime | None
    """Since when the account has been due that has waited longest."""
    troubled: int


async def register(pool: asyncpg.Pool, network: str, treasury: str, begin: int, now: datetime) -> None:
    """Make known the wallets that are new, and the treasury from behind a ledger on."""
    await pool.execute(_REGISTER, network, now)
    await pool.execute(_REGISTER_TREASURY, network, treasury, begin << 32, now)


async def due(pool: asyncpg.Pool, network: str, now: datetime, limit: int) -> list[Looked]:
    """Return accounts that are to be looked at now."""
    return [Looked(*record) for record in await pool.fetch(_DUE, network, now, limit)]


async def advance(connection: Connection, network: str, old: Looked, new: Looked, due_at: datetime) -> None:
    """Move an account's cursor on.

    Raises:
        ScanMovedError: it is not where it was.
    """
    known = network, old.account, old.cursor, old.ledger
    done = await connection.execute(_ADVANCE, *known, new.cursor, new.usd, new.xlm, new.ledger, new.sign_at, due_at)
    if done != "UPDATE 1":
        raise ScanMovedError(f"the scan of {old.account} is not at {old.cursor} any more")


async def postpone(pool: asyncpg.Pool, network: str, looked: Looked, due_at: datetime, trouble: str | None) -> None:
    """Look again later, because nothing can be said now; `trouble` is why, if it may need a person."""
    await pool.execute(_POSTPONE, network, looked.account, looked.cursor, due_at, trouble)


async def changed(pool: asyncpg.Pool, network: str, modified: Mapping[str, int], now: datetime) -> None:
    """Look at once at those accounts that changed in these ledgers, if that was not seen yet."""
    await pool.execute(_CHANGED, network, list(modified), list(modified.values()), now)


async def shown(pool: asyncpg.Pool, network: str, accounts: Sequence[str]) -> None:
    """Look often at accounts whose address somebody has just asked for."""
    await pool.execute(_SHOWN, network, accounts)


async def accept(pool: asyncpg.Pool, network: str, account: str, now: datetime) -> bool:
    """Take what an account holds for right at the next look; False when nothing is wrong with it."""
    return await pool.execute(_ACCEPT, network, account, now) == "UPDATE 1"


async def standing(pool: asyncpg.Pool, network: str, tries: int) -> Standing:
    """Return who has waited longest, and how many accounts are not right after so many looks."""
    record = await pool.fetchrow(_STANDING, network, tries)
    return Standing(None, 0) if record is None else Standing(*record)


async def troubled(pool: asyncpg.Pool, network: str, tries: int) -> list[tuple[str, str]]:
    """Name the accounts that are not right after so many looks, and why."""
    return [(record[0], record[1]) for record in await pool.fetch(_TROUBLED, network, tries)]


async def ledgers(pool: asyncpg.Pool, network: str) -> dict[str, int]:
    """Return as of which ledger each account was looked at."""
    return {record[0]: record[1] for record in await pool.fetch(_LOOKED, network)}
