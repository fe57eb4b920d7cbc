"""Gates: an endpoint that limits what goes to it has one, from the first limit on for good."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from libs.common.persistence.rows import Table
from services.webhooks.domain.endpoints import PARALLEL
from services.webhooks.store.endpoint_rows import EndpointRow
from services.webhooks.store.gates import GATES, GateRow

Rows = tuple[tuple[Table[Any], msgspec.Struct], ...]


def new_gate(endpoint: EndpointRow, *, now: datetime) -> Rows:
    """Return the gate of a new endpoint, if it needs one."""
    return ((GATES, GateRow(endpoint.tenant, endpoint.id, now, now)),) if _is_limited(endpoint) else ()


def changed_gate(
    gate: GateRow | None, before: EndpointRow, after: EndpointRow, *, now: datetime, lease: timedelta
) -> Rows:  # fmt: skip
    """Return the gate of an endpoint that was changed, if the change is any to its gate.

    It stays closed for a lease when what is under way was not counted so far, or in no order: until that has ended.
    """
    begins_order = before.order_mode == PARALLEL != after.order_mode
    if begins_order or (gate is None and _is_limited(after)):
        paid_until = now if gate is None else gate.paid_until
        return ((GATES, GateRow(after.tenant, after.id, paid_until, opens_at=now + lease)),)
    return ()


def _is_limited(endpoint: EndpointRow) -> bool:
    return endpoint.order_mode != PARALLEL or endpoint.max_in_flight is not None or endpoint.max_per_second is not None
