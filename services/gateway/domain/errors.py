"""The public error catalogue: every code a client may see, with its status and whether trying again can help."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of the catalogue; `fix` tells the caller what to do."""

    status: int
    message: str
    fix: str
    retryable: bool = False


CATALOGUE: Final[dict[str, Problem]] = {
    "VALIDATION_ERROR": Problem(400, "The request is not valid", "Correct the fields named in details.fields."),
    "INVALID_REQUEST": Problem(400, "The request makes no sense as a whole", "Read the message: it names what contradicts what."),
    "INVALID_CURRENCY": Problem(400, "The currency is not the order's", "Send the order's own currency."),
    "UNAUTHORIZED": Problem(401, "Missing or invalid API key", "Send `Authorization: Bearer <API key>` with a key not revoked."),
    "INSUFFICIENT_SCOPE": Problem(403, "The API key lacks the required scope", "Use a key with details.required_scope."),
    "FORBIDDEN_ACTOR": Problem(403, "This party may not do that", "Let the party named in details do it."),
    "USER_INACTIVE": Problem(403, "The user is not active", "Activate the user first."),
    "NOT_FOUND": Problem(404, "There is nothing at this path", "Check the path; every route starts with /api/v1."),
    "USER_NOT_FOUND": Problem(404, "No such user", "Create the user first, or check the id and the key's mode."),
    "WALLET_NOT_FOUND": Problem(
        404, "The user has no wallet yet", "Wallets are made shortly after the user: ask again.", retryable=True
    ),
    "ORDER_NOT_FOUND": Problem(404, "No such order", "Check the id and the key's mode."),
    "MILESTONE_NOT_FOUND": Problem(404, "The order has no such milestone", "List the order's milestones for their refs."),
    "ESCROW_NOT_FOUND": Problem(404, "The order has no escrow yet", "Create the escrow first."),
    "DISPUTE_NOT_FOUND": Problem(404, "No such dispute", "Check the id and the key's mode."),
    "WEBHOOK_NOT_FOUND": Problem(404, "No such webhook endpoint", "List the endpoints for their ids."),
    "WITHDRAWAL_NOT_FOUND": Problem(404, "No such withdrawal", "Check the id and the key's mode."),
    "TOPUP_NOT_FOUND": Problem(404, "No such top-up", "Check the id and the key's mode."),
    "API_KEY_NOT_FOUND": Problem(404, "No such API key", "List the keys for their ids."),
    "METHOD_NOT_ALLOWED": Problem(405, "The path does not take this method", "Use one of the methods in the Allow header."),
    "REQUEST_TIMEOUT": Problem(408, "The request body did not arrive in time", "Send it again.", retryable=True),
    "INVALID_STATE": Problem(409, "Not possible in the present state", "Look at details for the state and what it allows."),
    "ORDER_ALREADY_EXISTS": Problem(409, "An order with this client_order_ref exists", "Use the order in details.order_id."),
    "ESCROW_ALREADY_EXISTS": Problem(409, "The order has an escrow", "Use the escrow that is there."),
    "ESCROW_NOT_READY": Problem(409, "The escrow is not ready", "Try again shortly.", retryable=True),
    "DISPUTE_ALREADY_OPEN": Problem(409, "The order is disputed already", "Resolve the open dispute first."),
    "IDEMPOTENCY_KEY_REUSED": Problem(
        409, "The key was used for a different request", "Use a new Idempotency-Key for a new request."
    ),
    "IDEMPOTENCY_KEY_IN_PROGRESS": Problem(
        409,
        "The first request with this key is still under way",
        "Send the same request again after Retry-After.",
        retryable=True,
    ),
    "WITHDRAWAL_IN_PROGRESS": Problem(409, "The user has a withdrawal under way", "Wait until it has completed."),
    "PAYLOAD_TOO_LARGE": Problem(413, "The body is too large", "Send at most 256 KiB."),
    "UNSUPPORTED_MEDIA_TYPE": Problem(415, "The body must be application/json", "Set `Content-Type: application/json`."),
    "INSUFFICIENT_FUNDS": Problem(422, "Available balance is less than requested amount", "Add funds, or ask for less."),
    "RESERVE_MISMATCH_AMOUNT": Problem(422, "The amount is not the order's", "Send the order's own amount."),
    "INVALID_AMOUNT": Problem(422, "The amounts do not add up", "Make the parts add up to the whole, exactly."),
    "INVALID_DESTINATION": Problem(422, "The destination is not valid", "Check the address."),
    "DESTINATION_NO_TRUSTLINE": Problem(422, "The destination can't receive the asset", "The recipient must add a trustline."),
    "AMOUNT_BELOW_MINIMUM": Problem(422, "The amount is below the minimum", "Ask for at least details.minimum."),
    "RATE_LIMITED": Problem(429, "Too many requests", "Wait for Retry-After seconds.", retryable=True),
    "INTERNAL_ERROR": Problem(500, "Something went wrong on our side", "Report the request_id.", retryable=True),
    "SERVICE_UNAVAILABLE": Problem(
        503, "Not possible right now; nothing has happened", "Send the same request again.", retryable=True
    ),
    "OUTCOME_UNKNOWN": Problem(
        504, "It may have been done, but the answer did not come", "Retry with the same Idempotency-Key.", retryable=True
    ),
    "PROVIDER_TIMEOUT": Problem(
        504, "The payment provider did not answer in time", "Look the resource up, then retry.", retryable=True
    ),
}


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
