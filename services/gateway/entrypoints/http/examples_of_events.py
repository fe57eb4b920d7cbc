"""What each event means, and what it looks like: the story of the examples, as a subscriber hears it."""

from typing import Any, Final

from services.gateway.entrypoints.http.examples import BUYER, CHANGED_USER, DISPUTE, ORDER, SELLER

MEANINGS: Final = {
    "user.created": "A user was made.",
    "user.updated": "A user was changed; this is the whole user as it is now.",
    "user.suspended": "A user can't begin anything new any more.",
    "user.activated": "A user can begin things again.",
    "balance.credited": "Money came to a user's available balance.",
    "balance.debited": "Money left a user's available balance.",
    "balance.reserved": "Money of a user was reserved for an order.",
    "balance.released": "Reserved money left the reservation: into escrow, or back to the user.",
    "order.created": "Two users agreed on a sale.",
    "order.funds_reserved": "The buyer's money is reserved.",
    "order.escrow_creating": "The escrow of the order is being made.",
    "order.escrow_funding": "The escrow is there and awaits its money.",
    "order.escrow_funded": "The money is in escrow.",
    "order.in_progress": "The work can begin.",
    "order.release_requested": "Somebody asked to pay the seller.",
    "order.released": "The seller was paid.",
    "order.refund_requested": "Somebody asked to pay the buyer back.",
    "order.refunded": "The buyer was paid back.",
    "order.disputed": "The order is contested: nothing moves until that is resolved.",
    "order.canceled": "The order was called off before its money was in escrow.",
    "order.closed": "The order has ended; `final_status` says how.",
    "escrow.created": "An escrow was opened.",
    "escrow.funded": "An escrow received its money.",
    "escrow.released": "Money left escrow for the seller.",
    "escrow.refunded": "Money left escrow for the buyer.",
    "escrow.disputed": "A dispute was opened on an escrow.",
    "escrow.milestone_completed": "A part of the work is done.",
    "dispute.opened": "A dispute was opened.",
    "dispute.under_review": "An agent reviews a dispute.",
    "dispute.comment_added": "Somebody said something on a dispute.",
    "dispute.resolved": "A dispute was decided.",
    "wallet.created": "A user has a deposit wallet.",
    "withdrawal.created": "A user's balance has been debited, and the amount is to leave.",
    "withdrawal.canceled": "A withdrawal was called off; the user has the amount again.",
    "withdrawal.completed": "A withdrawal has arrived.",
    "withdrawal.flagged": "Something about a withdrawal is unusual: its amount, how many there were, or where it goes.",
    "withdrawal.failed": "A withdrawal did not arrive.",
    "webhook.created": "An endpoint was registered.",
    "webhook.updated": "An endpoint was changed.",
    "webhook.secret_rotated": "An endpoint has a new secret.",
    "webhook.test": "You asked for a test delivery; only its endpoint gets it.",
    "webhook.deleted": "An endpoint was deleted.",
    "webhook.disabled": "An endpoint was switched off, because it said so or failed too long.",
    "webhook.exhausted": "A delivery was given up; the endpoint it was for does not hear of it.",
}
"""Every event → what it means."""

_SALE: Final[dict[str, Any]] = {
    "order_id": ORDER,
    "buyer_id": BUYER,
    "seller_id": SELLER,
    "amount": "2500.00",
    "currency": "USD",
    "status": "IN_PROGRESS",
    "client_order_ref": "sale-42",
    "escrow_id": "esc_01JKL",
    "title": "A brand identity",
}
_HELD: Final[dict[str, Any]] = {
    "escrow_id": "esc_01JKL",
    "order_id": ORDER,
    "contract_id": f"order:{ORDER}:escrow",
    "buyer_id": BUYER,
    "seller_id": SELLER,
    "amount": "2500.00",
    "currency": "USD",
    "status": "funded",
    "funded_at": "2026-02-01T14:05:00.000Z",
}
_WITHDRAWN: Final[dict[str, Any]] = {
    "withdrawal_id": "wth_xyz789",
    "user_id": BUYER,
    "amount": "50.00",
    "currency": "USD",
    "destination_type": "stellar",
    "transaction_hash": "3389e9f0f1a65f19736cacf544c2e825313e8447f569233bb8db39aa607c8889",
}
_USER: Final = {name: CHANGED_USER[name] for name in ("external_user_id", "email", "type", "status", "metadata")}
_ENDPOINT: Final = {"webhook_id": "wh_01ABCDEF", "url": "https://your-app.com/webhooks"}

_KINDS: Final[dict[str, dict[str, Any]]] = {
    "UserCreated": {"user_id": BUYER, **_USER},
    "UserUpdated": {"user_id": BUYER, **_USER},
    "UserStatusChanged": {
        "user_id": BUYER,
        "external_user_id": "customer-7",
        "status": "SUSPENDED",
        "reason": "Chargebacks",
        "at": "2026-03-01T08:00:00.000Z",
    },
    "BalanceMoved": {
        "user_id": BUYER,
        "amount": "2500.00",
        "currency": "USD",
        "source": "reserve",
        "subject": ORDER,
        "journal_id": "jrn_01ABC",
        "available": "1250.00",
        "reserved": "2500.00",
    },
    "OrderEvent": _SALE,
    "EscrowEvent": _HELD,
    "MilestoneCompleted": {
        "escrow_id": "esc_01JKL",
        "order_id": ORDER,
        "milestone_ref": "draft",
        "milestone_title": "Three drafts",
        "amount": "1000.00",
        "completed_at": "2026-02-05T10:00:00.000Z",
    },
    "DisputeEvent": {
        "dispute_id": DISPUTE,
        "order_id": ORDER,
        "status": "RESOLVED",
        "opened_by": "BUYER",
        "reason": "QUALITY_ISSUE",
        "decision": "SPLIT",
        "resolved_by": "key_abc123",
        "seller_amount": "1500.00",
        "buyer_amount": "1000.00",
    },
    "WalletCreated": {
        "user_id": BUYER,
        "wallet_id": "wal_01ABC",
        "public_key": "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
        "provider": "stellar",
        "network": "testnet",
        "memo": "5991384198311758999",
    },
    "WithdrawalEvent": {name: value for name, value in _WITHDRAWN.items() if name != "transaction_hash"} | {"status": "PENDING"},
    "WithdrawalFlagged": {name: value for name, value in _WITHDRAWN.items() if name != "transaction_hash"}
    | {
        "amount": "7500.00",
        "address": "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
        "reasons": ["AMOUNT"],
        "needs_approval": False,
    },
    "WithdrawalCompleted": _WITHDRAWN,
    "WithdrawalFailed": {
        "withdrawal_id": "wth_xyz789",
        "user_id": BUYER,
        "amount": "50.00",
        "currency": "USD",
        "reason": "Destination account does not have USDC trustline",
        "funds_returned": True,
    },
    "EndpointEvent": _ENDPOINT,
    "EndpointTest": {**_ENDPOINT, "delivery_id": "whd_01ABC"},
}
"""Kind of data → an example of it, true of one of its events."""

_BY_HAND: Final = {"source": "adjust", "subject": "ticket 7", "amount": "250.00", "available": "1500.00", "reserved": "0.00"}
_OPENED: Final = {"status": "pending", "funded_at": None}
_RELEASED: Final = {
    "status": "released", "released_at": "2026-02-10T16:00:00.000Z", "released_amount": "2500.00", "platform_fee": "125.00",
}  # fmt: skip
_REFUNDED: Final = {"status": "refunded", "refunded_at": "2026-02-10T16:00:00.000Z", "refunded_amount": "2500.00"}
_CONTESTED: Final = {
    "status": "OPEN", "decision": None, "resolved_by": None, "seller_amount": None, "buyer_amount": None,
}  # fmt: skip
_VARIED: Final[dict[str, dict[str, Any]]] = {
    "user.created": {"email": "ana@example.com", "metadata": {"country": "PT"}},
    "user.activated": {"status": "ACTIVE", "reason": "Cleared"},
    "balance.credited": _BY_HAND,
    "balance.debited": _BY_HAND | {"subject": "ticket 8", "available": "1000.00"},
    "balance.released": {"source": "fund", "reserved": "0.00"},
    "order.created": {"status": "ORDER_CREATED", "escrow_id": None},
    "order.funds_reserved": {"status": "FUNDS_RESERVED", "escrow_id": None},
    "order.escrow_creating": {"status": "ESCROW_FUNDING"},
    "order.escrow_funding": {"status": "ESCROW_FUNDING"},
    "order.release_requested": {"status": "CLOSED", "final_status": "RELEASED", "reason": "Work accepted"},
    "order.released": {"status": "CLOSED", "final_status": "RELEASED"},
    "order.refund_requested": {"status": "CLOSED", "final_status": "REFUNDED", "reason": "Never delivered"},
    "order.refunded": {"status": "CLOSED", "final_status": "REFUNDED"},
    "order.disputed": {"status": "DISPUTED"},
    "order.canceled": {"status": "CLOSED", "final_status": "CANCELED", "escrow_id": None, "reason": "A second thought"},
    "order.closed": {"status": "CLOSED", "final_status": "RELEASED"},
    "escrow.created": _OPENED,
    "escrow.released": _RELEASED,
    "escrow.refunded": _REFUNDED,
    "escrow.disputed": {"status": "disputed", "dispute_id": DISPUTE, "opened_by": BUYER, "reason": "QUALITY_ISSUE"},
    "dispute.opened": _CONTESTED,
    "dispute.under_review": _CONTESTED | {"status": "UNDER_REVIEW", "assigned_to": "agent-7"},
    "dispute.comment_added": _CONTESTED | {"comment_id": "cmt_01ABC", "user_id": SELLER},
    "withdrawal.canceled": {"status": "CANCELED"},
    "webhook.exhausted": {"event_id": "evt_abc123"},
}
"""What is otherwise in an event than in the example of its kind; None is left out."""


def data_of(name: str, kind: str) -> dict[str, Any]:
    """Show the data of an event."""
    varied = _KINDS.get(kind, {}) | _VARIED.get(name, {})
    return {field: value for field, value in varied.items() if value is not None}
