"""Rows of every table that has a list, put there without the services that write them."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from libs.common.contracts.accounts import available, reserved
from libs.common.kernel.ids import Tenant, new_id
from libs.common.persistence.rows import Table
from services.escrow.domain.orders import Dispute, Escrow, Order, contested
from services.escrow.domain.states import DisputeStatus, EscrowStatus, FinalStatus, OrderStatus
from services.gateway.domain.key_records import KeyRecord
from services.ledger.store.rows import AccountRow, EntryRow, JournalRow, UserRow
from services.webhooks.store.delivery_rows import DeliveryRow
from services.webhooks.store.endpoint_rows import EndpointRow
from services.webhooks.store.log_rows import EventRow

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """An instant, so many seconds after the beginning of the world."""
    return START + timedelta(seconds=seconds)


def user(tenant: Tenant, moment: datetime, **changes: Any) -> UserRow:
    """A user who was opened at a moment."""
    user_id = new_id("usr")
    row = UserRow(tenant, user_id, f"ext-{user_id}", "BOTH", "ACTIVE", None, {}, 1, moment, moment)
    return msgspec.structs.replace(row, **changes)


def order(tenant: Tenant, moment: datetime, status: str = "ORDER_CREATED", **changes: Any) -> Order:
    """An order that was made at a moment and stands somewhere."""
    row = Order(
        tenant=tenant, id=new_id("ord"), client_order_ref=None, buyer_id="usr_b", seller_id="usr_s", amount=1, currency="USD",
        quoted_currency="USD", title="Logo", description=None, metadata=None, fee_bps=0, status=OrderStatus(status),
        final_status=FinalStatus.CANCELED if status == "CLOSED" else None, milestones=(), escrow=None, dispute=None, comments=(),
        dispute_status=None, dispute_opened_by=None, dispute_opened_at=None, version=1, sequence=1, pending=None,
        pending_since=None, pending_tries=0, pending_due=None, created_at=moment, updated_at=moment,
    )  # fmt: skip
    if status in ("ESCROW_FUNDING", "IN_PROGRESS"):
        row = msgspec.structs.replace(row, escrow=Escrow(EscrowStatus.PENDING, moment))
    return msgspec.structs.replace(row, **changes)


def disputed(tenant: Tenant, moment: datetime, status: str = "OPEN", side: str = "BUYER", **changes: Any) -> Order:
    """An order whose dispute was opened at a moment, an hour after it was made."""
    dispute = Dispute(DisputeStatus(status), side, "OTHER", None, (), created_at=moment, updated_at=moment)
    closed = "CLOSED" if status == "RESOLVED" else "DISPUTED"
    escrow = Escrow(EscrowStatus.DISPUTED, moment)
    return order(tenant, moment - timedelta(hours=1), closed, escrow=escrow, **contested(dispute), **changes)


def history(
    tenant: Tenant, user_id: str, moments: Mapping[str, Sequence[datetime]]
) -> tuple[list[AccountRow], list[JournalRow], list[EntryRow]]:
    """A user's four accounts; `moments` (`available:USD` → …) says when each entry was posted, version 1 first."""
    accounts: list[AccountRow] = []
    journals: list[JournalRow] = []
    entries: list[EntryRow] = []
    for purpose, currency in ((purpose, currency) for purpose in ("available", "reserved") for currency in ("USD", "XLM")):
        name = available(user_id) if purpose == "available" else reserved(user_id)
        posted = moments.get(f"{purpose}:{currency}", ())
        account_id = f"{name}:{currency}"
        accounts.append(
            AccountRow(
                tenant, account_id, purpose, currency, user_id, floored=True, balance=len(posted), version=len(posted),
                sequence=0, is_open=True,
            )
        )  # fmt: skip
        for version, moment in enumerate(posted, 1):
            journal_id = new_id("jrn")
            journals.append(JournalRow(tenant, journal_id, "adjust", currency, None, None, "bat_1", moment, b""))
            entries.append(EntryRow(tenant, account_id, version, journal_id, 1, version, moment))
    return accounts, journals, entries


def endpoint(tenant: Tenant, moment: datetime, **others: Any) -> EndpointRow:
    """A webhook endpoint."""
    return EndpointRow(tenant, new_id("wh"), "https://x.test", ("*",), None, True, 1, moment, moment, **others)  # noqa: FBT003


def event(tenant: Tenant, position: int) -> EventRow:
    """An event of the log."""
    body = msgspec.json.encode({"id": "e", "type": "order.created", "created_at": "x", "sequence": 1, "data": {}})
    return EventRow(tenant, position, new_id("evt"), "order.created", f"order:{position}", 1, (), body, at(position))


def delivery(
    tenant: Tenant,
    endpoint_id: str,
    position: int,
    state: str,
    *,
    moment: datetime | None = None,
    aggregate: str = "",
    logged_at: datetime | None = None,
) -> DeliveryRow:
    """A delivery of the event at a position, of an aggregate of its own unless told otherwise."""
    moment, aggregate = moment or at(position), aggregate or f"order:{position}"
    return DeliveryRow(
        tenant, endpoint_id, new_id("whd"), position, state, 0, moment, None, None, None, None, moment, aggregate,
        logged_at=logged_at or at(position),
    )  # fmt: skip


def api_key(tenant: Tenant, moment: datetime) -> KeyRecord:
    """An API key that nobody has."""
    key_id = new_id("key")
    known: dict[str, Any] = {
        "tenant": tenant, "id": key_id, "name": "k", "marketplace": "m", "mode": "live", "scopes": ["read"], "hint": "…",
        "digest": key_id.encode(), "allowed_ips": [], "created_by": "master", "created_at": moment,
    }  # fmt: skip
    return KeyRecord(**known)


async def put(owner: asyncpg.Connection, service: str, table: Table[Any], rows: Sequence[Any]) -> None:
    """Write rows into a service's table."""
    await owner.execute(f"SET search_path TO {service}")
    if rows:
        await table.insert(owner, rows)


async def put_keys(owner: asyncpg.Connection, keys: Sequence[KeyRecord]) -> None:
    """Write API keys."""
    columns = [field.name for field in fields(KeyRecord)]
    records = [astuple(key) for key in keys]
    await owner.copy_records_to_table("api_keys", schema_name="gateway", columns=columns, records=records)
