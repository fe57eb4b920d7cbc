"""How an operation that will go away says so, long before it does."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Final

NOTICE: Final = timedelta(days=183)
"""Six months: what callers are given at least."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when an operation should not be used, when it ends, and where it is told what to use instead."""

    since: date
    sunset: date
    link: str

    def __post_init__(self) -> None:
        """Refuse a shorter notice than was promised."""
        if self.sunset - self.since < NOTICE:
            raise ValueError(f"six months' notice were promised: {self.since} to {self.sunset} is less")

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return what its answers carry: Deprecation (RFC 9745), Sunset (RFC 8594) and a link to each."""
        since, sunset = (datetime.combine(day, time(), UTC) for day in (self.since, self.sunset))
        return (
            ("deprecation", f"@{int(since.timestamp())}"),
            ("sunset", format_datetime(sunset, usegmt=True)),
            ("link", f'<{self.link}>; rel="deprecation"; type="text/html", <{self.link}>; rel="sunset"; type="text/html"'),
        )
