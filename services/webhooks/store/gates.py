"""The gates as the write path works with them; what is under way is counted by the claim and by the record of outcomes."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.rows import Table


class GateRow(msgspec.Struct, frozen=True, gc=False):
    """Where all processes count what goes to an endpoint that limits it; who claims keeps the leases under way here too.

    It is closed until `opens_at`, and the endpoint's rate is used up until `paid_until`.
    """

    tenant: str
    endpoint_id: str
    paid_until: datetime
    opens_at: datetime


GATES: Final = Table(
    "gates",
    GateRow,
    {"tenant": "text", "endpoint_id": "text", "paid_until": "timestamptz", "opens_at": "timestamptz"},
    key=("tenant", "endpoint_id"),
    frozen_columns=("paid_until",),
)
