"""What is put in place of what the documents print, and what of them can't run yet; nothing else is changed before one runs.

Printed hosts, keys and ids are examples; printed Stellar addresses fail their own checksum or are cut short. What stands for
`<name>` is told by the scene: what must be there before a snippet can run.
"""

from typing import Final

from tests.support.client_docs import scenes

_ORDER: Final = '{"buyer_id": "<buyer>", "seller_id": "<seller>", "amount": "100.00", "currency": "USD", "title": "A thing"}'
_WITHDRAWAL: Final = '{"user_id": "<buyer>", "amount": "50.00", "destination": {"type": "stellar", "address": "<address>"}}'

_HEADERS: Final = "Content-Type: application/json\nIdempotency-Key: once"

PLACES: Final = {
    "http://localhost:4000": "<host>",
    "https://{your-orchestrator-domain}": "<host>",
    "YOUR_OFFERHUB_MASTER_KEY": "<master_key>",
    "ohk_live_xxxxxxxxxxxxxxxxxxxxxxxx": "<api_key>",
    "ohk_live_your_api_key": "<api_key>",
    "Bearer TOKEN": "Bearer <api_key>",
    "/orders/{id}": "/orders/<order>",
    "usr_abc123": "<buyer>",
    "usr_abc": "<buyer>",
    "usr_01ABC": "<buyer>",
    "usr_02ABC": "<seller>",
    "ord_abc123": "<order>",
    "ord_xyz789": "<cursor>",
    "wth_xyz789": "<withdrawal>",
    "GBCG42WTVWPO4Q6N...": "<address>",
    "GDQP2KPQGKIHYJGXNUIYOMHARUARCA7DJT5FO2FFOOUJ3EQRQGPGAVRQ": "<address>",
    "GDQP2K...": "<address>",
    '{ "order_data": "..." }': _ORDER,
    "\n...": f"\n-H 'Authorization: Bearer <api_key>' -H 'Content-Type: application/json' -d '{_WITHDRAWAL}'",
}

SCENES: Final[dict[str, scenes.Scene]] = {
    "api-reference/Success Response": scenes.ordered,
    "api-reference/List Response": scenes.listed,
    "api-reference/Error Response": scenes.too_dear,
    "api-reference/Initialize an Escrow": scenes.reserved,
    "api-reference/Release Escrow": scenes.funded,
    "api-reference/Get User Balance": scenes.holding,
    "api-reference/Create Withdrawal": scenes.withdrawing,
    "api-reference/Pagination": scenes.paged,
    "api-reference/Filters": scenes.funded,
    "api-reference/Idempotency": scenes.met,
    "withdrawals-guide/Crypto Withdrawals": scenes.withdrawing,
    "withdrawals-guide/AirTM Withdrawals": scenes.withdrawing,
    "withdrawals-guide/AirTM Withdrawals/3": scenes.withdrawn,
    "withdrawals-guide/Getting Withdrawal Details": scenes.arrived,
    "withdrawals-guide/Listing Withdrawals": scenes.arrived,
    "withdrawals-guide/Webhooks/2": scenes.arrived,
    "withdrawals-guide/Webhooks/3": scenes.returned,
    "withdrawals-guide/Rate Limiting": scenes.withdrawing,
    "withdrawals-guide/Idempotency": scenes.withdrawing,
    "withdrawals-guide/Balance Impact/1": scenes.withdrawing,
    "withdrawals-guide/Balance Impact/2": scenes.withdrawn,
    "withdrawals-guide/Balance Impact/3": scenes.returned,
}
"""What must be there, by a snippet's name or its heading's; for the others nothing."""

REQUESTS: Final = {
    "api-reference/Success Response/1": "GET /orders/<order>",
    "api-reference/List Response/1": "GET /orders?limit=1",
    "api-reference/Error Response/1": "POST /orders/<order>/reserve",
    "withdrawals-guide/Rate Limiting/1": f"POST /withdrawals\n{_HEADERS}\n\n{_WITHDRAWAL}",
}
"""What an answer answers, where the document doesn't say."""

WITHOUT_ENVELOPE: Final = frozenset({"api-reference/Success Response/1"})
"""Answers printed as what is in `data`."""

_LIMITS: Final = "the stack of the stories has no limits"
_AIRTM: Final = "withdrawals over AirTM are not there yet"
_SDK: Final = "the SDK for JavaScript is not there yet"

PENDING: Final = {
    "withdrawals-guide/AirTM Withdrawals/1": _AIRTM,
    "withdrawals-guide/AirTM Withdrawals/2": _AIRTM,
    "withdrawals-guide/AirTM Withdrawals/3": _AIRTM,
    "withdrawals-guide/Rate Limiting/1": _LIMITS,
    "withdrawals-guide/Using the SDK/1": _SDK,
    "withdrawals-guide/Using the SDK/2": _SDK,
    "withdrawals-guide/Handling Failed Withdrawals/1": _SDK,
    "withdrawals-guide/Verifying Transactions/1": _SDK,
}
"""Snippets that can't run yet, and why. Each is tried all the same: one that runs must leave the list."""

_AIRTM_COMES: Final = "POST /api/v1/withdrawals/{id}/commit"

PENDING_ROWS: Final = {
    "api-reference/Idempotency Windows/1": {"Top-ups": "POST /api/v1/topups"},
    "api-reference/Rate Limiting/1": {
        "POST /topups": "POST /api/v1/topups",
    },
    "api-reference/Withdrawals/1": {
        "/withdrawals/{id}/commitPOST": _AIRTM_COMES,
    },
}
"""Rows of tables that are not true yet, by how they begin, and the operation whose coming ends the wait."""

PENDING_TABLES: Final = {
    "withdrawals-guide/Payment Providers/1": _AIRTM_COMES,
    "withdrawals-guide/Withdrawal Lifecycle/1": _AIRTM_COMES,
    "withdrawals-guide/Limits and Fees/2": _AIRTM_COMES,
}
"""Tables that can't be compared with anything yet, and the operation whose coming ends the wait."""

PENDING_OPERATIONS: Final[tuple[str, ...]] = ()
"""Operations that stand in the text and are not there yet."""
