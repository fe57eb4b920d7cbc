"""What lies in a table for each day (UTC): days are made ahead, and dropped whole."""

from datetime import date
from typing import Final, NamedTuple

from libs.common.persistence.rows import Connection

_OWED: Final = "SELECT count(*) FROM event_log WHERE logged_at < $1::timestamptz"


class Days(NamedTuple):
    """The statements that make and drop days of a kind."""

    make: str
    drop: str


ATTEMPTS: Final = Days(
    "SELECT make_days_of('attempts', 'started_at', $1, $2, least($3::date, '-infinity'))", "SELECT drop_attempt_days($1)"
)
LOG: Final = Days("SELECT make_log_days($1, $2, $3)", "SELECT drop_log_days($1)")
"""The event log and the deliveries that ended."""


async def make_days(connection: Connection, days: Days, *, today: date, ahead: int, since: date) -> int:
    """Make the days from today on that are not there, and those of rows that came while nobody made any; return how many.

    None while another process does the same. No day before `since` is made for the log.

    Raises:
        LockNotAvailableError: somebody reads for long: try again later.
    """
    made: int = await connection.fetchval(days.make, today, ahead, since)
    return made


async def drop_days(connection: Connection, days: Days, *, before: date) -> int:
    """Drop the days before this one with all their rows; return how many.

    An event that a delivery still has to carry is kept, without its day.

    Raises:
        RaiseError: it is in the future. LockNotAvailableError: as above.
    """
    dropped: int = await connection.fetchval(days.drop, before)
    return dropped


async def owed(connection: Connection, *, before: date) -> int:
    """Count the events from before this day that are still kept for deliveries."""
    count: int = await connection.fetchval(_OWED, before)
    return count
