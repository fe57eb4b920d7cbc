"""Escrow's rows and tables as its write path works with them."""

from typing import Final

import msgspec

from libs.common.persistence.rows import Table
from services.escrow.domain.orders import Order


class PartyRow(msgspec.Struct, frozen=True, gc=False):
    """What escrow must know of a user; `sequence` is that of the ledger's event which said so."""

    tenant: str
    user_id: str
    status: str
    sequence: int


_ORDER_COLUMNS: Final = {
    "tenant": "text",
    "id": "text",
    "client_order_ref": "text",
    "buyer_id": "text",
    "seller_id": "text",
    "amount": "bigint",
    "currency": "text",
    "quoted_currency": "text",
    "title": "text",
    "description": "text",
    "metadata": "jsonb",
    "fee_bps": "integer",
    "status": "text",
    "final_status": "text",
    "milestones": "jsonb",
    "escrow": "jsonb",
    "dispute": "jsonb",
    "comments": "jsonb",
    "dispute_status": "text",
    "dispute_opened_by": "text",
    "dispute_opened_at": "timestamptz",
    "version": "bigint",
    "sequence": "bigint",
    "pending": "jsonb",
    "pending_since": "timestamptz",
    "pending_tries": "integer",
    "pending_due": "timestamptz",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
ORDERS: Final = Table(
    "orders",
    Order,
    _ORDER_COLUMNS,
    key=("tenant", "id"),
    lock=True,
    frozen_columns=(
        "client_order_ref",
        "buyer_id",
        "seller_id",
        "amount",
        "currency",
        "quoted_currency",
        "title",
        "description",
        "metadata",
        "fee_bps",
        "created_at",
    ),
)
ORDERS_BY_CLIENT_REF: Final = Table("orders", Order, _ORDER_COLUMNS, key=("tenant", "client_order_ref"), index=True)

_PARTY_COLUMNS: Final = {"tenant": "text", "user_id": "text", "status": "text", "sequence": "bigint"}
ACTIVE: Final = "ACTIVE"
PARTIES: Final = Table("parties", PartyRow, _PARTY_COLUMNS, key=("tenant", "user_id"), lock=True)
PARTIES_SEEN: Final = Table("parties", PartyRow, _PARTY_COLUMNS, key=("tenant", "user_id"), index=True)
"""The same rows without their locks."""

LOCK_ORDER: Final = (PARTIES, ORDERS_BY_CLIENT_REF, ORDERS)
"""Every transaction touches the tables in this order, so no two wait for each other."""
