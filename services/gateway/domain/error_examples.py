"""For each error code a request that meets it, with all that must be done before: what the error pages show and the tests run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class Step:
    """A request. `$NAME` in its path and body is what an earlier step saved under that name, or stands in run.env."""

    request: str
    """Method and path under /api/v1."""
    body: dict[str, Any] | None = None
    key: str = "api"
    """Who asks: the `api` or the `support` key of the environment, `none`, or a key that an earlier step saved."""
    headers: Mapping[str, str] = field(default_factory=dict)
    saves: str = ""
    """The name under which the id of what it makes is kept, or of an API key the key itself."""
    times: int = 1
    zeros: int = 0
    """Send a body of so many zero bytes instead."""
    is_awaited: bool = True

    @property
    def method(self) -> str:
        """The first word of the request."""
        return self.request.partition(" ")[0]

    @property
    def path(self) -> str:
        """The rest of it."""
        return self.request.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Example:
    """A request that is answered with an error, what that says, and what helps."""

    request: Step
    details: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    """Empty for the catalogue's own."""
    given: str = ""
    """What `before` brings about, in words."""
    before: tuple[Step, ...] = ()
    mended: tuple[Step, ...] = ()
    """What to do instead; the last of these succeeds."""
    occurs: Literal["always", "by chance", "not yet"] = "always"


_TERMS: Final = {"buyer_id": "$BUYER", "seller_id": "$SELLER", "amount": "100.00", "title": "A logo"}
_WHOLE: Final = {"amount": "100.00", "currency": "USD"}
_ORDER_ID: Final = "ord_01kf0q7x4m2v9s8d3n5b6c1h0j"
_DISPUTE_ID: Final = "dsp_01kf0q7x4m2v9s8d3n5b6c1h0j"
_USER_ID: Final = "usr_01kf0q5t8w3z6y1p4r7e9a2k5g"

_ANA: Final = Step("POST /users", {"external_user_id": "ana"})
_BUYER: Final = replace(_ANA, saves="BUYER")
_SELLER: Final = Step("POST /users", {"external_user_id": "ben"}, saves="SELLER")
_USERS: Final = (_BUYER, _SELLER)
_ORDER: Final = Step("POST /orders", _TERMS, saves="ORDER")
_CREDIT: Final = Step("POST /users/$BUYER/balance/credit", _WHOLE, key="support")
_RESERVE: Final = Step("POST /orders/$ORDER/reserve")
_ESCROW: Final = Step("POST /orders/$ORDER/escrow", _WHOLE)
_FUND: Final = Step("POST /orders/$ORDER/escrow/fund")
_RELEASE: Final = Step("POST /orders/$ORDER/resolution/release")
_DISPUTE: Final = Step("POST /orders/$ORDER/resolution/dispute", {"opened_by": "BUYER"}, saves="DISPUTE")
_ORDERED: Final = (*_USERS, _ORDER)
_RESERVED: Final = (*_ORDERED, _CREDIT, _RESERVE)
_ESCROWED: Final = (*_RESERVED, _ESCROW)
_FUNDED: Final = (*_ESCROWED, _FUND)
_DRAFT: Final = {"ref": "draft", "title": "A draft", "amount": "40.00"}
_FINAL: Final = {"ref": "final", "title": "The final logo", "amount": "60.00"}
_WEBHOOK: Final = Step("POST /webhooks", {"url": "https://example.com/webhooks", "events": ["order.*"]}, saves="WEBHOOK")
_WITHDRAWAL: Final = {
    "user_id": "$BUYER",
    "amount": "50.00",
    "destination": {"type": "stellar", "address": "$STELLAR_USDC_ISSUER"},
}
"""To whoever issues the dollars: an account that is there on every network, and takes any amount."""
_UNOPENED: Final = {"type": "stellar", "address": "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"}
_WITHDRAW: Final = Step("POST /withdrawals", _WITHDRAWAL, headers={"Idempotency-Key": "withdrawal-1"}, saves="WITHDRAWAL")
_AGAIN: Final = {"Idempotency-Key": "withdrawal-2"}
_SHORT: Final = {"type": "stellar", "address": "GDQP2K"}


EXAMPLES: Final[dict[str, Example]] = {
    "VALIDATION_ERROR": Example(
        Step("POST /users", {"external_user_id": "ana", "type": "buyers", "e_mail": "ana@example.com"}),
        {
            "fields": [
                {
                    "field": "type",
                    "message": "write one of BUYER, SELLER, BOTH; did you mean BUYER?",
                    "allowed": ["BUYER", "SELLER", "BOTH"],
                },
                {"field": "e_mail", "message": "unknown field; did you mean email?"},
            ]
        },
        mended=(Step("POST /users", {"external_user_id": "ana", "type": "BUYER", "email": "ana@example.com"}),),
    ),
    "INVALID_REQUEST": Example(
        Step("POST /orders", _TERMS | {"seller_id": "$BUYER"}),
        {"user_id": _USER_ID},
        "The buyer and the seller must be two users",
        given="a user",
        before=(_BUYER,),
        mended=(_SELLER, Step("POST /orders", _TERMS)),
    ),
    "INVALID_CURRENCY": Example(
        Step("POST /orders/$ORDER/escrow", {"amount": "100.00", "currency": "XLM"}),
        {"order_currency": "USD", "requested": "XLM"},
        given="an order of 100.00 USD whose money is reserved",
        before=_RESERVED,
        mended=(_ESCROW,),
    ),
    "UNAUTHORIZED": Example(
        Step("GET /orders", key="none"), message="Missing Authorization header", mended=(Step("GET /orders"),)
    ),
    "INSUFFICIENT_SCOPE": Example(
        replace(_ANA, key="READER"),
        {"required_scope": "write", "current_scopes": ["read"]},
        given="a key that may only read",
        before=(Step("POST /auth/api-keys", {"name": "Reader", "scopes": ["read"]}, key="support", saves="READER"),),
        mended=(_ANA,),
    ),
    "ADDRESS_NOT_ALLOWED": Example(
        Step("GET /orders", key="ELSEWHERE"),
        {"address": "198.51.100.4"},
        given="a key for one address, which is not yours",
        before=(
            Step(
                "POST /auth/api-keys",
                {"name": "Elsewhere", "scopes": ["read"], "allowed_ips": ["203.0.113.7"]},
                key="support",
                saves="ELSEWHERE",
            ),
        ),
        mended=(Step("GET /orders"),),
    ),
    "FORBIDDEN_ACTOR": Example(
        Step("POST /orders/$ORDER/resolution/release", {"requested_by": "$SELLER"}),
        {"order_id": _ORDER_ID, "actor": "usr_01kf0q6a1c4e7g0j3m6p9s2v5y", "allowed": [_USER_ID]},
        given="an order whose money is in escrow",
        before=_FUNDED,
        mended=(Step("POST /orders/$ORDER/resolution/release", {"requested_by": "$BUYER"}),),
    ),
    "USER_INACTIVE": Example(
        _RESERVE,
        {"user_id": _USER_ID, "status": "SUSPENDED"},
        given="an order whose buyer was suspended",
        before=(*_ORDERED, _CREDIT, Step("PATCH /users/$BUYER", {"status": "SUSPENDED"}, key="support")),
        mended=(Step("PATCH /users/$BUYER", {"status": "ACTIVE"}, key="support"), _RESERVE),
    ),
    "NOT_FOUND": Example(Step("GET /order"), {"did_you_mean": "/api/v1/orders"}, mended=(Step("GET /orders"),)),
    "USER_NOT_FOUND": Example(
        Step("GET /users/usr_unknown"), {"user_id": "usr_unknown"}, mended=(_BUYER, Step("GET /users/$BUYER"))
    ),
    "WALLET_NOT_FOUND": Example(Step("GET /users/usr_unknown/wallet"), {"user_id": "usr_unknown"}),
    "ORDER_NOT_FOUND": Example(Step("GET /orders/ord_unknown"), {"order_id": "ord_unknown"}, mended=(Step("GET /orders"),)),
    "MILESTONE_NOT_FOUND": Example(
        Step("POST /orders/$ORDER/milestones/draft/complete"),
        {"order_id": _ORDER_ID, "milestone_ref": "draft"},
        "No such milestone",
        given="an order without milestones",
        before=_ORDERED,
        mended=(Step("GET /orders/$ORDER/milestones"),),
    ),
    "ESCROW_NOT_FOUND": Example(
        Step("GET /orders/$ORDER/escrow"),
        {"order_id": _ORDER_ID},
        given="an order without an escrow",
        before=_ORDERED,
        mended=(_CREDIT, _RESERVE, _ESCROW, Step("GET /orders/$ORDER/escrow")),
    ),
    "DISPUTE_NOT_FOUND": Example(
        Step("GET /disputes/dsp_unknown"), {"dispute_id": "dsp_unknown"}, mended=(Step("GET /disputes"),)
    ),
    "WEBHOOK_NOT_FOUND": Example(Step("GET /webhooks/wh_unknown"), {"webhook_id": "wh_unknown"}, mended=(Step("GET /webhooks"),)),
    "DELIVERY_NOT_FOUND": Example(
        Step("GET /webhooks/$WEBHOOK/deliveries/whd_unknown"),
        {"delivery_id": "whd_unknown"},
        given="a webhook endpoint",
        before=(_WEBHOOK,),
        mended=(Step("GET /webhooks/$WEBHOOK/deliveries"),),
    ),
    "REPLAY_NOT_FOUND": Example(
        Step("GET /webhooks/$WEBHOOK/replays/rpl_unknown"),
        {"replay_id": "rpl_unknown"},
        given="a webhook endpoint",
        before=(_WEBHOOK,),
        mended=(Step("GET /webhooks/$WEBHOOK/replays"),),
    ),
    "EVENT_NOT_FOUND": Example(Step("GET /events/evt_unknown"), {"event_id": "evt_unknown"}, mended=(Step("GET /events"),)),
    "WITHDRAWAL_NOT_FOUND": Example(
        Step("GET /withdrawals/wth_unknown"), {"withdrawal_id": "wth_unknown"}, mended=(Step("GET /withdrawals"),)
    ),
    "TOPUP_NOT_FOUND": Example(Step("GET /topups/top_unknown"), {"topup_id": "top_unknown"}, occurs="not yet"),
    "API_KEY_NOT_FOUND": Example(
        Step("DELETE /auth/api-keys/key_unknown", key="support"),
        {"key_id": "key_unknown"},
        mended=(Step("GET /auth/api-keys", key="support"),),
    ),
    "REQUEST_NOT_FOUND": Example(
        Step("GET /requests/req_unknown"), {"request_id": "req_unknown"}, mended=(Step("GET /audit/logs"),)
    ),
    "METHOD_NOT_ALLOWED": Example(replace(_ANA, request="PUT /users"), {"allowed_methods": ["GET", "POST"]}, mended=(_ANA,)),
    "REQUEST_TIMEOUT": Example(_ANA, occurs="by chance"),
    "INVALID_STATE": Example(
        _RELEASE,
        {
            "order_id": _ORDER_ID,
            "current_state": "ORDER_CREATED",
            "allowed_states": ["IN_PROGRESS"],
            "allowed_actions": ["reserve", "cancel"],
        },
        "An order that is ORDER_CREATED does not allow release",
        given="an order whose money is not even reserved",
        before=_ORDERED,
        mended=(_CREDIT, _RESERVE, _ESCROW, _FUND, _RELEASE),
    ),
    "ORDER_ALREADY_EXISTS": Example(
        Step("POST /orders", _TERMS | {"client_order_ref": "sale-42"}),
        {"order_id": _ORDER_ID, "client_order_ref": "sale-42"},
        given="an order with this reference",
        before=(*_USERS, Step("POST /orders", _TERMS | {"client_order_ref": "sale-42"}, saves="ORDER")),
        mended=(Step("GET /orders/$ORDER"),),
    ),
    "ESCROW_ALREADY_EXISTS": Example(
        _ESCROW,
        {"order_id": _ORDER_ID, "escrow_id": "esc_01kf0q7x4m2v9s8d3n5b6c1h0j"},
        given="an order with an escrow",
        before=_ESCROWED,
        mended=(Step("GET /orders/$ORDER/escrow"),),
    ),
    "DISPUTE_ALREADY_OPEN": Example(
        _RELEASE,
        {"order_id": _ORDER_ID, "dispute_id": _DISPUTE_ID, "allowed_actions": ["resolve"]},
        "The order is disputed: resolve the dispute first",
        given="an order that is disputed",
        before=(*_FUNDED, _DISPUTE),
        mended=(Step("POST /disputes/$DISPUTE/resolve", {"decision": "FULL_RELEASE"}, key="support"),),
    ),
    "IDEMPOTENCY_KEY_REUSED": Example(
        Step("POST /users", {"external_user_id": "ben"}, headers={"Idempotency-Key": "sign-up-1"}),
        {"idempotency_key": "sign-up-1"},
        given="a user who was made with this key",
        before=(replace(_ANA, headers={"Idempotency-Key": "sign-up-1"}),),
        mended=(Step("POST /users", {"external_user_id": "ben"}, headers={"Idempotency-Key": "sign-up-2"}),),
    ),
    "IDEMPOTENCY_KEY_IN_PROGRESS": Example(
        replace(_ANA, headers={"Idempotency-Key": "sign-up-2"}),
        {"idempotency_key": "sign-up-2"},
        given="the same request, which takes longer than two seconds",
        before=(replace(_ANA, headers={"Idempotency-Key": "sign-up-2"}, is_awaited=False),),
        occurs="by chance",
    ),
    "WITHDRAWAL_IN_PROGRESS": Example(
        Step("POST /withdrawals", _WITHDRAWAL | {"amount": "10.00"}, headers=_AGAIN),
        {"withdrawal_id": "wth_xyz789"},
        given="a user with a withdrawal under way",
        before=(_BUYER, _CREDIT, _WITHDRAW),
        mended=(Step("GET /withdrawals/$WITHDRAWAL"),),
    ),
    "PAYLOAD_TOO_LARGE": Example(
        Step("POST /users", headers={"Content-Type": "application/json"}, zeros=300_000),
        {"limit_bytes": 262_144},
        mended=(_ANA,),
    ),
    "UNSUPPORTED_MEDIA_TYPE": Example(
        replace(_ANA, headers={"Content-Type": "text/plain"}),
        {"content_type": "text/plain"},
        mended=(_ANA,),
    ),
    "INSUFFICIENT_FUNDS": Example(
        _RESERVE,
        {"available": "0.00", "requested": "100.00", "currency": "USD"},
        given="an order whose buyer has no money",
        before=_ORDERED,
        mended=(_CREDIT, _RESERVE),
    ),
    "RESERVE_MISMATCH_AMOUNT": Example(
        Step("POST /orders/$ORDER/reserve", {"amount": "60.00"}),
        {"order_amount": "100.00", "requested": "60.00"},
        given="an order of 100.00",
        before=_ORDERED,
        mended=(_CREDIT, _RESERVE),
    ),
    "INVALID_AMOUNT": Example(
        Step("POST /orders", _TERMS | {"milestones": [_DRAFT]}),
        {"order_amount": "100.00", "milestones_total": "40.00"},
        "The milestones must add up to the order's amount exactly",
        given="two users",
        before=_USERS,
        mended=(Step("POST /orders", _TERMS | {"milestones": [_DRAFT, _FINAL]}),),
    ),
    "INVALID_DESTINATION": Example(
        Step("POST /withdrawals", _WITHDRAWAL | {"destination": _SHORT}, headers=_AGAIN),
        {"field": "destination.address", "reason": "MALFORMED", "address": "GDQP2K"},
        given="a user with 100.00",
        before=(_BUYER, _CREDIT),
        mended=(_WITHDRAW,),
    ),
    "DESTINATION_NO_TRUSTLINE": Example(
        replace(_WITHDRAW, body=_WITHDRAWAL | {"destination": _UNOPENED}),
        {"reason": "NO_ACCOUNT", "asset_code": "USDC", "address": _UNOPENED["address"]},
        "Nobody has opened the destination's account yet",
        occurs="by chance",
    ),
    "AMOUNT_BELOW_MINIMUM": Example(
        Step("POST /withdrawals", _WITHDRAWAL | {"amount": "0.50"}, headers=_AGAIN),
        {"minimum": "1.00", "requested": "0.50", "currency": "USD"},
        given="a user with 100.00",
        before=(_BUYER, _CREDIT),
        mended=(_WITHDRAW,),
    ),
    "AMOUNT_ABOVE_MAXIMUM": Example(
        _WITHDRAW,
        {"limit": "user_daily", "maximum": "100.00", "used": "80.00", "requested": "50.00", "currency": "USD"},
        occurs="by chance",
    ),
    "SECOND_FACTOR_REQUIRED": Example(
        Step("POST /withdrawals", _WITHDRAWAL | {"amount": "12000.00"}, headers=_AGAIN),
        {"field": "second_factor_code", "threshold": "10000.00", "enrolled": False},
        given="a user with 100.00",
        before=(_BUYER, _CREDIT),
        mended=(_WITHDRAW,),
    ),
    "SECOND_FACTOR_INVALID": Example(
        Step("POST /users/$BUYER/second-factor/confirm", {"code": "000000"}),
        {"field": "second_factor_code", "reason": "WRONG", "locked_until": None},
        occurs="by chance",
    ),
    "SECOND_FACTOR_NOT_FOUND": Example(
        Step("GET /users/$BUYER/second-factor"),
        {"user_id": _USER_ID},
        given="a user",
        before=(_BUYER,),
        mended=(Step("GET /users/$BUYER"),),
    ),
    "RATE_LIMITED": Example(
        Step("GET /me"),
        {"retry_after": 60, "limit": 100},
        given="100 requests within a minute",
        before=(Step("GET /me", times=100),),
    ),
    "INTERNAL_ERROR": Example(Step("GET /orders"), occurs="by chance"),
    "SERVICE_UNAVAILABLE": Example(Step("GET /orders"), occurs="by chance"),
    "NOT_EXECUTED": Example(replace(_ANA, headers={"Idempotency-Key": "sign-up-2"}), occurs="by chance"),
    "OUTCOME_UNKNOWN": Example(replace(_ANA, headers={"Idempotency-Key": "sign-up-3"}), occurs="by chance"),
    "PROVIDER_TIMEOUT": Example(_WITHDRAW, {"provider": "stellar"}, occurs="not yet"),
}
