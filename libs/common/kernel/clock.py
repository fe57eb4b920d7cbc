"""Time comes from one place, so that a test can hold it still."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """Return the present as an aware UTC instant."""
        ...


class SystemClock:
    """The machine's clock: the only caller of `datetime.now`."""

    def now(self) -> datetime:
        """Return the present as an aware UTC instant."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that may


@lru_cache(maxsize=256)
def wire_time(instant: datetime) -> str:
    """Print an instant as clients see it: UTC, exactly three decimals, Z."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def read_instant(text: str | None) -> datetime | None:
    """Read an ISO 8601 date or instant; one that names no zone is UTC.

    Raises:
        ValueError: it is neither.
    """
    if text is None:
        return None
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
