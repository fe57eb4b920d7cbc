"""What answers look like that are about the API itself: keys, webhooks, health, errors. `SHOWN` has an example of every kind."""

import base64
import hashlib
from typing import Final

import msgspec

from libs.common.contracts.replies.ledger import User
from libs.common.contracts.replies.webhooks import (
    Delivery,
    DeliveryEvidence,
    DeliveryWithAttempts,
    Endpoint,
    EndpointHealth,
    LoggedEvent,
    Replay,
    ReplayProgress,
    ResentDelivery,
    SentTest,
)
from services.gateway.domain.error_pages import REQUEST_ID, ErrorEntry, answer, entry
from services.gateway.entrypoints.http.examples import BUYER, CHANGED_USER, DISPUTE, ORDER, SALE, Shown
from services.gateway.entrypoints.http.public import VERSION, Config, DetailedHealth, Health
from services.gateway.handlers.api_keys import ApiKey
from services.gateway.handlers.maintenance import Maintenance
from services.gateway.handlers.read_records import AuditEntry, ChainHead, RecordedRequest
from services.gateway.handlers.register_webhook import RegisteredEndpoint, RotatedSecret

_NOW: Final = "2026-02-10T16:00:00.000Z"
_KEY: Final[Shown] = {
    "id": "key_abc123",
    "name": "My Marketplace",
    "scopes": ["read", "write"],
    "marketplace": "default",
    "mode": "live",
    "hint": "ohk_live_9xQ2",
    "status": "active",
    "created_at": "2026-01-12T10:00:00.000Z",
    "last_used_at": "2026-02-10T15:59:00.000Z",
}
_SECRET: Final = "ohk_live_9xQ2vT7mKc4Rp8Wd1Zs6Yb3Nf5Hj0La9Ge2Uk7Xi4Mo8B1q6Tz"  # noqa: S105 - made up
NEW_KEY: Final = {name: value for name, value in _KEY.items() if name != "last_used_at"} | {"key": _SECRET}
REVOKED_KEY: Final = _KEY | {"status": "revoked", "revoked_at": "2026-03-01T08:00:00.000Z"}
ROTATED_KEY: Final = NEW_KEY | {"id": "key_def456", "created_at": "2026-03-01T08:00:00.000Z", "replaces": "key_abc123"}
IDENTITY: Final[Shown] = {
    "api_key_id": "key_abc123",
    "name": "My Marketplace",
    "marketplace": "default",
    "mode": "live",
    "scopes": ["read", "write"],
    "expires_at": None,
    "version": VERSION,
}
NO_MAINTENANCE: Final[Shown] = {"enabled": False, "message": None, "enabled_at": None, "enabled_by": None}
_WEBHOOK: Final[Shown] = {
    "id": "wh_01ABCDEF",
    "url": "https://your-app.com/webhooks",
    "events": ["escrow.*", "order.closed"],
    "active": True,
    "description": None,
    "created_at": "2026-01-12T10:00:00.000Z",
    "updated_at": "2026-01-12T10:00:00.000Z",
    "order_mode": "parallel",
    "max_in_flight": None,
    "max_per_second": None,
    "verified_at": None,
}
_DELIVERY: Final[Shown] = {
    "id": "whd_01ABC",
    "endpoint_id": "wh_01ABCDEF",
    "event_id": "evt_abc123",
    "event_type": "escrow.released",
    "state": "DELIVERED",
    "attempts": 1,
    "last_status": 204,
    "last_error": None,
    "next_attempt_at": None,
    "created_at": _NOW,
    "replay_id": None,
}
_REPLAY: Final[Shown] = {
    "id": "rpl_01ABC",
    "endpoint_id": "wh_01ABCDEF",
    "state": "RUNNING",
    "from_position": 1,
    "to_position": 42,
    "events": ["escrow.*", "order.closed"],
    "only": "undelivered",
    "per_second": 50,
    "cursor": 0,
    "enqueued": 0,
    "created_at": _NOW,
    "updated_at": _NOW,
}
_BODY: Final = (
    b'{"id":"evt_abc123","type":"escrow.released","created_at":"2026-02-10T16:00:00.000Z","sequence":7,'
    b'"data":{"escrow_id":"esc_01JKL","status":"released"}}'
)
_ATTEMPT: Final[Shown] = {
    "number": 1,
    "url": "https://your-app.com/webhooks",
    "started_at": _NOW,
    "duration_ms": 84,
    "connect_ms": 31,
    "status": 204,
    "error": None,
    "error_class": None,
    "response": "",
}

_REQUEST: Final[Shown] = {
    "id": REQUEST_ID,
    "request_id": "checkout-7f3a",
    "api_key_id": "key_abc123",
    "idempotency_key": "550e8400-e29b-41d4-a716-446655440000",
    "method": "POST",
    "path": f"/api/v1/orders/{ORDER}/reserve",
    "query": "",
    "operation": "reserve_order",
    "address": "203.0.113.7",
    "state": "completed",
    "status": 422,
    "code": "INSUFFICIENT_FUNDS",
    "resource_id": ORDER,
    "started_at": _NOW,
    "completed_at": _NOW,
    "duration_ms": 12,
    "request": {},
    "before": None,
    "response": answer("INSUFFICIENT_FUNDS"),
}
SHOWN_IDS: Final = {
    "user_id": BUYER,
    "order_id": ORDER,
    "dispute_id": DISPUTE,
    "webhook_id": "wh_01ABCDEF",
    "delivery_id": "whd_01ABC",
    "withdrawal_id": "wth_xyz789",
    "replay_id": "rpl_01ABC",
    "event_id": "evt_abc123",
    "key_id": "key_abc123",
    "request_id": REQUEST_ID,
    "ref": "draft",
    "code": "INSUFFICIENT_FUNDS",
}
"""What stands in the path of an example."""

SHOWN: Final[dict[type[msgspec.Struct], Shown]] = {
    **SALE,
    Endpoint: _WEBHOOK,
    RegisteredEndpoint: _WEBHOOK | {"signing_key": "whsec_eW91ci13ZWJob29rLXNlY3JldA=="},
    RotatedSecret: {
        "id": "wh_01ABCDEF",
        "signs_from": _NOW,
        "previous_until": _NOW,
        "signing_key": "whsec_bXktbmV4dC1zaWduaW5nLXNlY3JldA==",
    },
    ResentDelivery: {"id": "whd_01ABC", "endpoint_id": "wh_01ABCDEF", "attempt": 13},
    EndpointHealth: {
        "id": "wh_01ABCDEF",
        "active": True,
        "breaker": "OPEN",
        "failures_in_a_row": 12,
        "next_probe_at": _NOW,
        "failing_since": "2026-02-10T15:40:00.000Z",
        "last_success_at": "2026-02-10T15:39:00.000Z",
        "disables_at": "2026-02-15T15:40:00.000Z",
        "disables_in_seconds": 430_800,
        "backlog": 118,
        "backlog_is_longer": False,
        "oldest_seconds": 1_205,
        "drain_seconds": None,
        "last_hour": {"delivered": 240, "failed": 12},
        "last_day": {"delivered": 8_112, "failed": 14},
        "answer_p50_ms": 45,
        "answer_p99_ms": 362,
    },
    Replay: _REPLAY,
    ReplayProgress: _REPLAY | {"cursor": 31, "enqueued": 12, "pending": 2, "delivered": 10, "failed": 0, "remaining": 6},
    SentTest: {"id": "whd_01ABC", "endpoint_id": "wh_01ABCDEF"},
    Delivery: _DELIVERY,
    DeliveryEvidence: {
        "id": "whd_01ABC",
        "delivery": _DELIVERY,
        "event": {
            "id": "evt_abc123",
            "type": "escrow.released",
            "position": 42,
            "aggregate": "order:ord_01JKL",
            "sequence": 7,
            "logged_at": _NOW,
        },
        "body_base64": base64.b64encode(_BODY).decode(),
        "body_sha256": hashlib.sha256(_BODY).hexdigest(),
        "attempts": [
            {
                "attempt": _ATTEMPT,
                "headers": {
                    "Content-Type": "application/json",
                    "User-Agent": "OfferHub-Webhooks/1",
                    "webhook-id": "evt_abc123",
                    "webhook-timestamp": "1770739200",
                    "X-OfferHub-Event": "escrow.released",
                    "X-OfferHub-Delivery": "whd_01ABC",
                    "X-OfferHub-Attempt": "1",
                    "webhook-signature": "v1,Gi0OukOUJWMFOV1Y3/z/vMIKQ/2i0du09su8c1I+j8s=",
                },
                "signed_with": [1],
            }
        ],
        "secrets": [
            {
                "number": 1,
                "created_at": "2026-01-12T10:00:00.000Z",
                "signs_first_from": "2026-01-12T10:00:00.000Z",
                "signs_until": None,
            }
        ],
    },
    DeliveryWithAttempts: _DELIVERY | {"attempt_log": [_ATTEMPT]},
    LoggedEvent: {
        "id": "evt_abc123",
        "type": "escrow.released",
        "position": 42,
        "sequence": 7,
        "created_at": _NOW,
        "data": {
            "escrow_id": "esc_01JKL",
            "order_id": ORDER,
            "status": "released",
            "released_amount": "2500.00",
            "currency": "USD",
        },
    },
    ApiKey: _KEY,
    Maintenance: {
        "enabled": True,
        "message": "Back at 14:00 UTC",
        "enabled_at": "2026-03-01T13:00:00.000Z",
        "enabled_by": "master",
    },
    Health: {
        "status": "healthy",
        "version": VERSION,
        "timestamp": _NOW,
        "checks": {"database": "ok", "broker": "ok"},
    },
    DetailedHealth: {
        "status": "degraded",
        "version": VERSION,
        "timestamp": _NOW,
        "maintenance": False,
        "dependencies": {
            "database": {"status": "ok", "latency_ms": 0.6},
            "broker": {"status": "ok", "latency_ms": 0.9},
            "redis": {"status": "disabled", "latency_ms": None},
            "ledger": {"status": "ok", "latency_ms": 2.1},
            "payouts": {"status": "unreachable", "latency_ms": None},
        },
    },
    Config: {
        "version": VERSION,
        "currencies": ["USD", "USDC", "XLM"],
        "amount_decimals": 7,
        "page_default": 20,
        "page_max": 100,
        "body_bytes_max": 262_144,
        "rate_limits": [{"name": "general", "requests": 100, "window_seconds": 60.0, "per": "api_key"}],
        "features": {"milestones": True, "disputes": True, "webhooks": True},
    },
    RecordedRequest: _REQUEST,
    AuditEntry: {
        "id": REQUEST_ID,
        "request_id": "checkout-7f3a",
        "occurred_at": _NOW,
        "actor": {"api_key_id": "key_abc123", "address": "203.0.113.7"},
        "action": "update_user",
        "change": "UPDATE",
        "resource_type": "user",
        "resource_id": BUYER,
        "result": "SUCCESS",
        "status": 200,
        "code": None,
        "before": SALE[User],
        "after": CHANGED_USER,
        "batch_id": "bat_01ABC",
    },
    ChainHead: {"position": 42, "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    ErrorEntry: msgspec.to_builtins(entry("INSUFFICIENT_FUNDS")),
}
