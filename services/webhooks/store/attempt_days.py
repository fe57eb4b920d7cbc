"""Attempts lie in a table for each day (UTC): days are made ahead, and dropped whole."""

from datetime import date
from typing import Final

from libs.common.persistence.rows import Connection

_MAKE: Final = "SELECT make_attempt_days($1, $2)"
_DROP: Final = "SELECT drop_attempt_days($1)"


async def make_days(connection: Connection, *, today: date, ahead: int) -> int:
    """Make the days from today on that are not there, and those of attempts that came while nobody made any; return how many.

    Raises:
        LockNotAvailableError: somebody reads for long, or another process does the same just now: try again later.
    """
    made: int = await connection.fetchval(_MAKE, today, ahead)
    return made


async def drop_days(connection: Connection, *, before: date) -> int:
    """Drop the days before this one with all their attempts; return how many.

    Raises:
        RaiseError: it is in the future. LockNotAvailableError: as above.
    """
    dropped: int = await connection.fetchval(_DROP, before)
    return dropped
