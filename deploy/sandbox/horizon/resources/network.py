"""Ledgers, fees and the root document as Horizon shows them."""

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Final

from deploy.sandbox.horizon.chain.rules import PROTOCOL_VERSION
from deploy.sandbox.horizon.chain.values import amount, total_order
from deploy.sandbox.horizon.history.rows import LedgerRow
from deploy.sandbox.horizon.ledger.header import GENESIS, TOTAL_COINS, Header, decode_header
from deploy.sandbox.horizon.resources.transactions import Body, instant

VERSION: Final = "offerhub-sandbox"
_PERCENTILES: Final = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)
_PAGED: Final = "{?cursor,limit,order}"


def ledger(row: LedgerRow, base: str) -> Body:
    """Show a ledger."""
    header = decode_header(row.header)
    own = f"{base}/ledgers/{row.sequence}"
    paged = {
        name: {"href": f"{own}/{name}{_PAGED}", "templated": True}
        for name in ("transactions", "operations", "payments", "effects")
    }
    return {
        "_links": {"self": {"href": own}, **paged},
        "id": row.hash,
        "paging_token": str(total_order(row.sequence)),
        "hash": row.hash,
        **({"prev_hash": header.previous_hash.hex()} if row.sequence > GENESIS else {}),
        "sequence": row.sequence,
        "successful_transaction_count": row.successful,
        "failed_transaction_count": row.failed,
        "operation_count": row.operations,
        "tx_set_operation_count": row.offered,
        "closed_at": instant(header.close_time),
        "total_coins": amount(TOTAL_COINS),
        "fee_pool": amount(header.fee_pool),
        "base_fee_in_stroops": header.base_fee,
        "base_reserve_in_stroops": header.base_reserve,
        "max_tx_set_size": header.capacity,
        "protocol_version": PROTOCOL_VERSION,
        "header_xdr": base64.b64encode(row.header).decode(),
    }


def fee_stats(header: Header, offered: int, rates: Sequence[tuple[int, int]]) -> Body:
    """Show what was charged and bid an operation lately; `offered` is how full the latest ledger was, in operations."""
    charged = [rate for rate, _ in rates] or [header.base_fee]
    bid = [rate for _, rate in rates] or [header.base_fee]
    return {
        "last_ledger": str(header.sequence),
        "last_ledger_base_fee": str(header.base_fee),
        "ledger_capacity_usage": f"{offered / max(1, header.capacity):.2f}".rstrip("0").rstrip("."),
        "fee_charged": _distribution(charged),
        "max_fee": _distribution(bid),
    }


def _distribution(rates: Sequence[int]) -> Body:
    ordered = sorted(rates)
    body: Body = {"max": str(ordered[-1]), "min": str(ordered[0]), "mode": str(Counter(ordered).most_common(1)[0][0])}
    for percentile in _PERCENTILES:
        place = -(-percentile * len(ordered) // 100) - 1
        body[f"p{percentile}"] = str(ordered[max(0, place)])
    return body


def root(header: Header, passphrase: str, base: str) -> Body:
    """Show where everything is."""
    places = {
        "account": "/accounts/{account_id}",
        "accounts": "/accounts{?signer,sponsor,asset,cursor,limit,order}",
        "account_transactions": f"/accounts/{{account_id}}/transactions{_PAGED}",
        "claimable_balances": "/claimable_balances{?asset,sponsor,claimant,cursor,limit,order}",
        "assets": "/assets{?asset_code,asset_issuer,cursor,limit,order}",
        "effects": f"/effects{_PAGED}",
        "fee_stats": "/fee_stats",
        "friendbot": "/friendbot{?addr}",
        "ledger": "/ledgers/{sequence}",
        "ledgers": f"/ledgers{_PAGED}",
        "operation": "/operations/{id}",
        "operations": "/operations{?cursor,limit,order,include_failed}",
        "payments": "/payments{?cursor,limit,order,include_failed}",
        "self": "/",
        "transaction": "/transactions/{hash}",
        "transactions": f"/transactions{_PAGED}",
    }
    links = {name: {"href": f"{base}{place}"} | ({"templated": True} if "{" in place else {}) for name, place in places.items()}
    return {
        "_links": links,
        "horizon_version": VERSION,
        "core_version": VERSION,
        "ingest_latest_ledger": header.sequence,
        "history_latest_ledger": header.sequence,
        "history_latest_ledger_closed_at": instant(header.close_time),
        "history_elder_ledger": GENESIS,
        "core_latest_ledger": header.sequence,
        "network_passphrase": passphrase,
        "current_protocol_version": PROTOCOL_VERSION,
        "supported_protocol_version": PROTOCOL_VERSION,
        "core_supported_protocol_version": PROTOCOL_VERSION,
    }
