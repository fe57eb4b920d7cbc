"""Errors as Horizon tells them."""

from typing import Any, Final

import msgspec
from aiohttp import web

_HOST: Final = "https://stellar.org/horizon-errors/"
CONTENT_TYPE: Final = "application/problem+json"


class Problem(Exception):
    """Something the caller is told instead of what it asked for."""

    def __init__(self, status: int, kind: str, title: str, detail: str, extras: dict[str, Any] | None = None) -> None:
        """Say what it is; `kind` ends the URL that names it."""
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.extras = extras

    def response(self) -> web.Response:
        """Write it down."""
        body: dict[str, Any] = {
            "type": f"{_HOST}{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.extras is not None:
            body["extras"] = self.extras
        return web.Response(status=self.status, body=msgspec.json.encode(body), content_type=CONTENT_TYPE, charset="utf-8")


def not_found() -> Problem:
    """There is no such thing."""
    return Problem(404, "not_found", "Resource Missing", "Nothing is found at this URL: it is not one, or names nothing.")


def bad_request(field: str, reason: str) -> Problem:
    """A parameter is wrong."""
    extras = {"invalid_field": field, "reason": reason}
    return Problem(400, "bad_request", "Bad Request", f"The parameter {field} is not valid.", extras)


def before_history() -> Problem:
    """What is asked for is older than anything kept."""
    title = "Data Requested Is Before Recorded History"
    return Problem(410, "before_history", title, "There is nothing before this cursor: history begins with the first ledger.")


def stale_history() -> Problem:
    """The database lags too far behind the network."""
    detail = "This server lags too far behind the network to answer. Try again later."
    return Problem(503, "stale_history", "Historical DB Is Too Stale", detail)


def rate_limited() -> Problem:
    """The caller has asked too often."""
    detail = "This address has used its requests up; the X-RateLimit headers say how many it has and when it gets more."
    return Problem(429, "rate_limit_exceeded", "Rate Limit Exceeded", detail)


def unsupported_media_type() -> Problem:
    """A transaction comes as a form."""
    detail = "A transaction is submitted as application/x-www-form-urlencoded, in the field tx."
    return Problem(415, "unsupported_media_type", "Unsupported Media Type", detail)


def malformed(envelope: str) -> Problem:
    """What was submitted is no transaction."""
    detail = "The field tx must be a TransactionEnvelope in XDR, as base64. What came is echoed in extras.envelope_xdr."
    return Problem(400, "transaction_malformed", "Transaction Malformed", detail, {"envelope_xdr": envelope})


def failed(envelope: str, result: str, codes: dict[str, object]) -> Problem:
    """A transaction was refused, or is in a ledger as a failure."""
    extras = {"envelope_xdr": envelope, "result_codes": codes, "result_xdr": result}
    detail = "The network did not do what the transaction asks for; extras.result_codes says why."
    return Problem(400, "transaction_failed", "Transaction Failed", detail, extras)


def submission_timeout(digest: str, envelope: str) -> Problem:
    """Nothing was heard of a transaction in time, which says nothing of what became of it."""
    extras = {"hash": digest, "envelope_xdr": envelope}
    detail = "The transaction was not seen in a ledger in time. It may be yet: ask for extras.hash before submitting another."
    return Problem(504, "transaction_submission_timeout", "Transaction Submission Timeout", detail, extras)


def timeout() -> Problem:
    """The server gave up on a request that submits nothing."""
    return Problem(504, "timeout", "Timeout", "This took too long. Ask again.")
