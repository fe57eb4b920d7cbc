"""Ending a request with an error of the catalogue."""

from typing import Any

from services.gateway.domain.catalogue import CATALOGUE


class ApiError(Exception):
    """A request ends here with this code. The edge turns it into an answer."""

    def __init__(self, code: str, message: str = "", *, retry_after: int = 0, **details: Any) -> None:  # noqa: ANN401 - JSON
        """Take the catalogue's message unless there is a better one."""
        super().__init__(message or CATALOGUE[code].message)
        self.code = code
        self.message = message or CATALOGUE[code].message
        self.details = details
        self.retry_after = retry_after


def invalid(field: str, message: str) -> ApiError:
    """Refuse a request for one of its fields."""
    return ApiError("VALIDATION_ERROR", fields=[{"field": field, "message": message}])
