"""What answers look like: one sale of 2,500 dollars between two people, told in the words of the API.

`SALE` has an example of each kind of reply; where an operation answers with another moment of the story, its row names it.
"""

from typing import Any, Final

import msgspec

from libs.common.contracts.replies.escrow import Comment, Dispute, Escrow, Milestone, Order
from libs.common.contracts.replies.ledger import Balance, BalanceAdjusted, Entry, User
from libs.common.contracts.replies.payouts import (
    DepositAddress,
    NewSecondFactor,
    SecondFactor,
    Wallet,
    WalletTransaction,
    Withdrawal,
)

Shown = dict[str, Any]

BUYER: Final = "usr_01ABC"
SELLER: Final = "usr_02ABC"
ORDER: Final = "ord_01JKL"
_ESCROW: Final = "esc_01JKL"
DISPUTE: Final = "dsp_01JKL"
_AGREED: Final = "2026-02-01T13:00:00.000Z"
_OPENED: Final = "2026-02-01T14:00:00.000Z"
_FUNDED: Final = "2026-02-01T14:05:00.000Z"
_CONTESTED: Final = "2026-02-08T09:30:00.000Z"
_ENDED: Final = "2026-02-10T16:00:00.000Z"
_ISSUER: Final = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
_ADDRESS: Final = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"

_DRAFT: Final[Shown] = {
    "id": "mls_01ABC",
    "ref": "draft",
    "title": "Three drafts",
    "description": None,
    "amount": "1000.00",
    "status": "COMPLETED",
    "completed_at": "2026-02-05T10:00:00.000Z",
}
_FINAL: Final = _DRAFT | {
    "id": "mls_02ABC", "ref": "final", "title": "Final files", "amount": "1500.00", "status": "OPEN", "completed_at": None,
}  # fmt: skip
_UNTOUCHED: Final = _DRAFT | {"status": "OPEN", "completed_at": None}
FUNDED_ESCROW: Final[Shown] = {
    "escrow_id": _ESCROW,
    "order_id": ORDER,
    "buyer_id": BUYER,
    "seller_id": SELLER,
    "amount": "2500.00",
    "currency": "USD",
    "status": "FUNDED",
    "created_at": _OPENED,
    "funded_at": _FUNDED,
    "released_amount": None,
    "released_at": None,
    "refunded_amount": None,
    "refunded_at": None,
    "platform_fee": None,
    "net_amount": None,
}
NEW_ESCROW: Final = FUNDED_ESCROW | {"status": "PENDING", "funded_at": None}
RELEASED_ESCROW: Final = FUNDED_ESCROW | {
    "status": "RELEASED", "released_amount": "2500.00", "released_at": _ENDED, "platform_fee": "125.00", "net_amount": "2375.00",
}  # fmt: skip
REFUNDED_ESCROW: Final = FUNDED_ESCROW | {
    "status": "REFUNDED", "refunded_amount": "2500.00", "refunded_at": _ENDED, "platform_fee": "0.00", "net_amount": "0.00",
}  # fmt: skip
_ORDER: Final[Shown] = {
    "id": ORDER,
    "client_order_ref": "sale-42",
    "buyer_id": BUYER,
    "seller_id": SELLER,
    "amount": "2500.00",
    "currency": "USD",
    "status": "IN_PROGRESS",
    "final_status": None,
    "title": "A brand identity",
    "description": None,
    "metadata": None,
    "platform_fee_bps": 500,
    "milestones": [_DRAFT, _FINAL],
    "escrow": FUNDED_ESCROW,
    "dispute": None,
    "created_at": _AGREED,
    "updated_at": "2026-02-05T10:00:00.000Z",
}
NEW_ORDER: Final = _ORDER | {
    "status": "ORDER_CREATED", "milestones": [_UNTOUCHED, _FINAL], "escrow": None, "updated_at": _AGREED,
}  # fmt: skip
RESERVED_ORDER: Final = NEW_ORDER | {"status": "FUNDS_RESERVED", "updated_at": "2026-02-01T13:30:00.000Z"}
CANCELED_ORDER: Final = NEW_ORDER | {"status": "CLOSED", "final_status": "CANCELED", "updated_at": "2026-02-01T13:45:00.000Z"}
_CONTEST: Final[Shown] = {
    "id": DISPUTE,
    "order_id": ORDER,
    "opened_by": "BUYER",
    "reason": "QUALITY_ISSUE",
    "description": "The files can't be opened",
    "evidence": ["https://files.example.com/screenshot.png"],
    "status": "OPEN",
    "assigned_to": None,
    "decision": None,
    "decision_note": None,
    "release_amount": None,
    "refund_amount": None,
    "resolved_by": None,
    "created_at": _CONTESTED,
    "updated_at": _CONTESTED,
    "resolved_at": None,
}
ASSIGNED: Final = _CONTEST | {"status": "UNDER_REVIEW", "assigned_to": "agent-7", "updated_at": "2026-02-08T10:00:00.000Z"}
RESOLVED: Final = ASSIGNED | {
    "status": "RESOLVED",
    "decision": "SPLIT",
    "decision_note": "The drafts were late, the final files good",
    "release_amount": "1500.00",
    "refund_amount": "1000.00",
    "resolved_by": "key_abc123",
    "updated_at": _ENDED,
    "resolved_at": _ENDED,
}
_USER: Final[Shown] = {
    "id": BUYER,
    "external_user_id": "customer-7",
    "type": "BUYER",
    "status": "ACTIVE",
    "email": "ana@example.com",
    "metadata": {"country": "PT"},
    "created_at": "2026-01-12T10:00:00.000Z",
    "updated_at": "2026-01-12T10:00:00.000Z",
}
CHANGED_USER: Final = _USER | {
    "email": "ana@example.org", "metadata": {"country": "ES"}, "updated_at": "2026-01-20T08:15:00.000Z",
}  # fmt: skip
_CREDITED: Final[Shown] = {
    "journal_id": "jrn_01ABC",
    "user_id": BUYER,
    "operation": "CREDIT",
    "amount": "250.00",
    "currency": "USD",
    "available": "1250.00",
    "reserved": "200.00",
    "reference": "ticket 7",
    "description": "Compensation",
    "created_at": "2026-01-15T12:00:00.000Z",
}
DEBITED: Final = _CREDITED | {"journal_id": "jrn_02ABC", "operation": "DEBIT", "available": "750.00"}
_WITHDRAWN: Final[Shown] = {
    "id": "wth_xyz789",
    "user_id": BUYER,
    "userId": BUYER,
    "amount": "50.00",
    "currency": "USD",
    "status": "COMPLETED",
    "destination": {"type": "stellar", "address": _ADDRESS, "memo_type": None, "memo": None},
    "description": None,
    "metadata": None,
    "cancel_requested": False,
    "hold": None,
    "flags": [],
    "transaction": {
        "hash": "3389e9f0f1a65f19736cacf544c2e825313e8447f569233bb8db39aa607c8889",
        "ledger": 12345678,
        "completedAt": "2026-02-25T12:00:05.000Z",
    },
    "failure": None,
    "created_at": "2026-02-25T12:00:00.000Z",
    "updated_at": "2026-02-25T12:00:05.000Z",
}
NEW_WITHDRAWAL: Final = _WITHDRAWN | {"status": "PENDING", "transaction": None, "updated_at": "2026-02-25T12:00:00.000Z"}
CANCELED_WITHDRAWAL: Final = NEW_WITHDRAWAL | {
    "status": "CANCELED", "cancel_requested": True, "updated_at": "2026-02-25T12:00:02.000Z",
}  # fmt: skip
_FACTOR: Final[Shown] = {"user_id": BUYER, "status": "ACTIVE", "created_at": "2026-02-25T11:55:00.000Z"}
_FACTOR_URI: Final = "otpauth://totp/OFFER-HUB%3Ausr_01ABC?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=OFFER-HUB"
SALE: Final[dict[type[msgspec.Struct], Shown]] = {
    Order: _ORDER,
    Milestone: _DRAFT,
    Escrow: FUNDED_ESCROW,
    Dispute: _CONTEST,
    Comment: {
        "id": "cmt_01ABC",
        "dispute_id": DISPUTE,
        "user_id": SELLER,
        "message": "Could you send the files again?",
        "attachments": [],
        "created_at": "2026-02-08T11:00:00.000Z",
    },
    User: _USER,
    Balance: {
        "user_id": BUYER,
        "balances": [
            {"currency": "USD", "available": "1250.00", "held": "200.00", "reserved": "200.00", "in_escrow": "0.00"},
            {"currency": "XLM", "available": "5000.00", "held": "0.00", "reserved": "0.00", "in_escrow": "0.00"},
        ],
    },
    BalanceAdjusted: _CREDITED,
    Entry: {
        "id": "ent_1769954400000000_3_user:usr_01ABC:available:USD",
        "account": "available",
        "currency": "USD",
        "kind": "reserve",
        "amount": "-2500.00",
        "balance_after": "1250.00",
        "subject": ORDER,
        "description": None,
        "created_at": "2026-02-01T13:30:00.000Z",
    },
    Wallet: {
        "id": "wal_01ABC",
        "user_id": BUYER,
        "public_key": _ADDRESS,
        "memo": None,
        "muxed_address": None,
        "provider": "stellar",
        "network": "testnet",
        "created_at": "2026-01-12T10:00:00.000Z",
    },
    WalletTransaction: {
        "id": "wth_xyz789",
        "type": "withdrawal",
        "status": "COMPLETED",
        "amount": "50.00",
        "currency": "USD",
        "address": _ADDRESS,
        "transaction_hash": "3389e9f0f1a65f19736cacf544c2e825313e8447f569233bb8db39aa607c8889",
        "ledger": 12345678,
        "created_at": "2026-02-25T12:00:00.000Z",
    },
    Withdrawal: _WITHDRAWN,
    SecondFactor: _FACTOR,
    NewSecondFactor: _FACTOR
    | {
        "status": "PENDING",
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "uri": _FACTOR_URI,
        "qr_svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 53 53"><path d="M4 4.5h7m1 0h1"/></svg>',
    },
    DepositAddress: {
        "user_id": BUYER,
        "provider": "stellar",
        "method": "stellar_address",
        "address": _ADDRESS,
        "memo_type": None,
        "memo": None,
        "muxed_address": None,
        "network": "testnet",
        "asset_code": "USDC",
        "asset_issuer": _ISSUER,
        "uri": f"web+stellar:pay?destination={_ADDRESS}&asset_code=USDC&asset_issuer={_ISSUER}",
        "qr_svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 61 61"><path d="M4 4.5h7m1 0h1"/></svg>',
        "instructions": "Send USDC to this address on the Stellar testnet. Other assets are not credited.",
    },
}
