"""The public error catalogue: every code a client may see, what brings it about and what to do then."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of the catalogue; `cause` says what brings it about, `fix` what the caller can do."""

    status: int
    message: str
    cause: str
    fix: str
    retryable: bool = False


CATALOGUE: Final[dict[str, Problem]] = {
    "VALIDATION_ERROR": Problem(
        400,
        "The request is not valid",
        "A field, a query parameter or a header is missing, unknown, or not of the form it must have. Nothing was looked up.",
        "Correct what `details.fields` names; each entry says what to write instead.",
    ),
    "INVALID_REQUEST": Problem(
        400,
        "The request makes no sense as a whole",
        "Each field is valid by itself, and together they contradict each other.",
        "Read the message: it names what contradicts what.",
    ),
    "INVALID_CURRENCY": Problem(
        400,
        "The currency is not the order's",
        "The escrow of an order holds the order's own currency. USD and USDC are the same one here; XLM is another.",
        "Send the order's own currency: `details.order_currency`.",
    ),
    "UNAUTHORIZED": Problem(
        401,
        "Missing or invalid API key",
        "The `Authorization` header is missing, or its key is unknown, mistyped, expired or revoked.",
        "Send `Authorization: Bearer <API key>` with a key that is neither revoked nor expired.",
    ),
    "INSUFFICIENT_SCOPE": Problem(
        403,
        "The API key lacks the required scope",
        "Reading takes the scope `read`, changing takes `write`, what support does takes `support`. None contains another.",
        "Use a key that has `details.required_scope`.",
    ),
    "ADDRESS_NOT_ALLOWED": Problem(
        403,
        "The API key can't be used from this address",
        "The key was made for some addresses, and the request came from another: `details.address`.",
        "Send it from one of the key's `allowed_ips`. Behind a proxy, have the operator trust it.",
    ),
    "FORBIDDEN_ACTOR": Problem(
        403,
        "This party may not do that",
        "The party has no say in this: only the buyer can ask for a release, and nobody approves a withdrawal they asked for.",
        "Let one of `details.allowed` ask, or leave the field out when your own backend decides. Approve with another key.",
    ),
    "USER_INACTIVE": Problem(
        403,
        "The user is not active",
        "A suspended user can't begin anything new. Money that is under way still comes out: release and refund go on.",
        "Make the user ACTIVE again, or choose another.",
    ),
    "SECOND_FACTOR_REQUIRED": Problem(
        403,
        "This amount needs a code of the user's second factor",
        "Above `details.threshold` a withdrawal needs a code of the user's authenticator app, and the request has none.",
        "Ask the user for a code and send it as `second_factor_code`; if `details.enrolled` is false, set their factor up first.",
    ),
    "SECOND_FACTOR_INVALID": Problem(
        403,
        "The code is not good",
        "It is wrong, older than a minute, or was used before; after five such codes none is taken for a quarter of an hour.",
        "Read `details.reason`, wait for the next code or until `details.locked_until`, and ask with another Idempotency-Key.",
    ),
    "NOT_FOUND": Problem(
        404,
        "There is nothing at this path",
        "The path is mistyped or lacks its beginning: every path of the API starts with /api/v1.",
        "Compare the path with the reference at `/api/v1/docs`.",
    ),
    "USER_NOT_FOUND": Problem(
        404,
        "No such user",
        "No user in the marketplace and mode of your key has this id: a live key can't see test users, nor a test key live ones.",
        "Create the user first, or check the id and the key's mode.",
    ),
    "SECOND_FACTOR_NOT_FOUND": Problem(
        404,
        "The user has no second factor",
        "None was set up for this user, or support removed it.",
        "Set one up with `POST /users/{user_id}/second-factor`.",
    ),
    "WALLET_NOT_FOUND": Problem(
        404,
        "The user has no wallet yet",
        "A deposit wallet is made shortly after its user; this one is not there yet, or there is no such user.",
        "Ask again in a moment. If it stays like this, check the user's id.",
        retryable=True,
    ),
    "ORDER_NOT_FOUND": Problem(
        404,
        "No such order",
        "There is no order with this id in the marketplace and mode of your key.",
        "Check the id and the key's mode, or list the orders.",
    ),
    "MILESTONE_NOT_FOUND": Problem(
        404,
        "The order has no such milestone",
        "Milestones are addressed by the ref they were given when the order was made.",
        "List the order's milestones for their refs.",
    ),
    "ESCROW_NOT_FOUND": Problem(
        404,
        "The order has no escrow yet",
        "An order gets its escrow after its money has been reserved.",
        "Reserve the order, then create the escrow.",
    ),
    "DISPUTE_NOT_FOUND": Problem(
        404,
        "No such dispute",
        "There is no dispute with this id in the marketplace and mode of your key.",
        "Check the id, or list the disputes.",
    ),
    "WEBHOOK_NOT_FOUND": Problem(
        404,
        "No such webhook endpoint",
        "There is no endpoint with this id in the marketplace and mode of your key, or it was deleted.",
        "List the endpoints for their ids.",
    ),
    "DELIVERY_NOT_FOUND": Problem(
        404,
        "The endpoint has no such delivery",
        "No delivery to this endpoint has this id. An event that goes to several endpoints has a delivery for each.",
        "List the endpoint's deliveries for their ids.",
    ),
    "REPLAY_NOT_FOUND": Problem(
        404,
        "The endpoint has no such replay",
        "No replay to this endpoint has this id, or it ended long ago: the last fifty of an endpoint are kept.",
        "List the endpoint's replays for their ids.",
    ),
    "EVENT_NOT_FOUND": Problem(
        404,
        "There is no such event in the log",
        "The log of the marketplace and mode of your key has no event with this id, or does not keep it any more.",
        "Check the id and the key's mode, or read the log.",
    ),
    "WITHDRAWAL_NOT_FOUND": Problem(
        404,
        "No such withdrawal",
        "There is no withdrawal with this id in the marketplace and mode of your key.",
        "Check the id and the key's mode.",
    ),
    "TOPUP_NOT_FOUND": Problem(
        404,
        "No such top-up",
        "There is no top-up with this id in the marketplace and mode of your key.",
        "Check the id and the key's mode.",
    ),
    "API_KEY_NOT_FOUND": Problem(
        404,
        "No such API key",
        "There is no key with this id in the marketplace and mode that the request is about.",
        "List the keys for their ids.",
    ),
    "REQUEST_NOT_FOUND": Problem(
        404,
        "No such request is on record",
        "No request with this id, or with this X-Request-ID, was recorded for the marketplace and mode of the key.",
        "Check the id. Requests that change something are recorded within a second, reads by sample only.",
    ),
    "METHOD_NOT_ALLOWED": Problem(
        405,
        "The path does not take this method",
        "The path exists, and this method is not among those it takes.",
        "Use one of `details.allowed_methods`.",
    ),
    "REQUEST_TIMEOUT": Problem(
        408,
        "The request body did not arrive in time",
        "The headers came, and the rest of the body did not follow within ten seconds.",
        "Send it again; if it keeps happening, look at the network between you and us.",
        retryable=True,
    ),
    "INVALID_STATE": Problem(
        409,
        "Not possible in the present state",
        "Orders and disputes move step by step, and this step can't be taken from where this one stands. When `details.pending` "
        "is there, another step is still under way: then the error is retryable.",
        "Make one of `details.next_calls` first, or wait for the pending step and send the request again.",
    ),
    "ORDER_ALREADY_EXISTS": Problem(
        409,
        "An order with this client_order_ref exists",
        "A `client_order_ref` is given to one order only, so that an order can't be made twice by mistake.",
        "Use the order in `details.order_id`, or send another `client_order_ref`.",
    ),
    "ESCROW_ALREADY_EXISTS": Problem(
        409,
        "The order has an escrow",
        "An order has one escrow, and this one was created before.",
        "Use the escrow that is there: `GET /orders/{order_id}/escrow`.",
    ),
    "DISPUTE_ALREADY_OPEN": Problem(
        409,
        "The order is disputed already",
        "While an order is disputed its money does not move, and there is only one dispute at a time.",
        "Resolve the dispute in `details.dispute_id`; that ends the order too.",
    ),
    "IDEMPOTENCY_KEY_REUSED": Problem(
        409,
        "The key was used for a different request",
        "This `Idempotency-Key` came before with another method, path or body. Nothing was done this time.",
        "Use a new `Idempotency-Key` for a new request; repeat a request exactly to get its first answer.",
    ),
    "IDEMPOTENCY_KEY_IN_PROGRESS": Problem(
        409,
        "The first request with this key is still under way",
        "A request with this `Idempotency-Key` has begun and not yet ended; we waited two seconds for it.",
        "Send the same request again after `Retry-After` seconds: it gets the answer of the first one.",
        retryable=True,
    ),
    "WITHDRAWAL_IN_PROGRESS": Problem(
        409,
        "The user has a withdrawal under way",
        "A user has one withdrawal at a time.",
        "Wait until it has completed or failed.",
    ),
    "PAYLOAD_TOO_LARGE": Problem(
        413,
        "The body is too large",
        "A body holds at most 256 KiB.",
        "Send less: put links instead of files into evidence, attachments and metadata.",
    ),
    "UNSUPPORTED_MEDIA_TYPE": Problem(
        415,
        "The body must be application/json",
        "The `Content-Type` of the body is missing or is not application/json in UTF-8.",
        "Set `Content-Type: application/json`.",
    ),
    "INSUFFICIENT_FUNDS": Problem(
        422,
        "Available balance is less than requested amount",
        "What is reserved or in escrow for other orders is not available.",
        "Add `details.requested` minus `details.available` to the user's balance, or ask for less.",
    ),
    "RESERVE_MISMATCH_AMOUNT": Problem(
        422,
        "The amount is not the order's",
        "Reserving and escrow are for the whole order: there is no part of it to ask for.",
        "Send `details.order_amount`, or leave the amount out where it is optional.",
    ),
    "INVALID_AMOUNT": Problem(
        422,
        "The amounts do not add up",
        "Milestones make up their order, and the parts of a split make up the whole, to the last decimal.",
        "Make the parts add up to `details.order_amount` exactly.",
    ),
    "INVALID_DESTINATION": Problem(
        422,
        "The destination is not valid",
        "The destination is no Stellar account, is one of the platform's or the user's own deposit address, or asks for a memo.",
        "Read `details.reason`. An address begins with G or M and ends in a checksum; MEMO_REQUIRED asks for `details.field`.",
    ),
    "DESTINATION_NO_TRUSTLINE": Problem(
        422,
        "The destination can't receive the asset",
        "A Stellar account must be open, and say that it accepts USDC, before anybody can send it some.",
        "Read `details.reason`: NO_ACCOUNT: the recipient must open the account; NO_TRUSTLINE: add a trustline. Then ask again.",
    ),
    "AMOUNT_BELOW_MINIMUM": Problem(
        422,
        "The amount is below the minimum",
        "Each provider has a smallest amount that it pays out.",
        "Ask for at least `details.minimum`.",
    ),
    "AMOUNT_ABOVE_MAXIMUM": Problem(
        422,
        "The amount is above what may be withdrawn",
        "The operator limits one withdrawal, what a user withdraws in a day (UTC), or what all users do: `details.limit`.",
        "Ask for less, or tomorrow: `details.maximum` less `details.used` is left.",
    ),
    "RATE_LIMITED": Problem(
        429,
        "Too many requests",
        "The key has used up its requests for this minute. The window begins with its first request.",
        "Wait for `Retry-After` seconds, then go on; `X-RateLimit-Remaining` says how many are left.",
        retryable=True,
    ),
    "INTERNAL_ERROR": Problem(
        500,
        "Something went wrong on our side",
        "A mistake of ours. It is in our log under the request_id.",
        "Report the request_id. You may try again with the same `Idempotency-Key`: what was done is not done twice.",
        retryable=True,
    ),
    "SERVICE_UNAVAILABLE": Problem(
        503,
        "Not possible right now; nothing has happened",
        "The broker, the database or a service can't be reached, or too many requests are under way.",
        "Send the same request again after `Retry-After` seconds.",
        retryable=True,
    ),
    "NOT_EXECUTED": Problem(
        503,
        "The request was given up before it was done; nothing has happened",
        "The gateway that took the request died or lost it, and it was settled that it is not to be done any more.",
        "Send the same request again, with the same `Idempotency-Key` if it had one.",
        retryable=True,
    ),
    "OUTCOME_UNKNOWN": Problem(
        504,
        "It may have been done, but the answer did not come",
        "The request reached a service, and its answer did not come back within ten seconds.",
        "Send the same request with the same `Idempotency-Key`: it is done once, and you get its answer.",
        retryable=True,
    ),
    "PROVIDER_TIMEOUT": Problem(
        504,
        "The payment provider did not answer in time",
        "Stellar or AirTM was asked and did not answer. What it did will be found out.",
        "Look the resource up, then retry with the same `Idempotency-Key`.",
        retryable=True,
    ),
}
