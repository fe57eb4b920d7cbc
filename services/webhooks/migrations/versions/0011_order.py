"""How deliveries are ordered and capped: each endpoint's wishes, what a delivery is ordered by, and the gates that keep count.

A delivery made by the version before has the aggregate `-`: until the last of its processes has gone, no order is promised.

Its one UPDATE and its two indexes are not made in batches: they touch what is PENDING, not the history; no released version had
this table; and a migration of ours is one transaction (ADR 0008).
"""

from libs.common.persistence.alembic_env import execute_script

revision = "0011"
down_revision = "0010"

_ORDER = """
ALTER TABLE endpoints
    ADD COLUMN order_mode text NOT NULL DEFAULT 'parallel' CHECK (order_mode IN ('parallel', 'per_aggregate', 'fifo')),
    ADD COLUMN max_in_flight integer,
    ADD COLUMN max_per_second integer;

ALTER TABLE deliveries ADD COLUMN aggregate text NOT NULL DEFAULT '-';
UPDATE deliveries d SET aggregate = v.aggregate
  FROM event_log v WHERE d.state = 'PENDING' AND v.tenant = d.tenant AND v.position = d.position;
CREATE INDEX deliveries_fifo ON deliveries (tenant, endpoint_id, replay_id, position) WHERE state = 'PENDING';
CREATE INDEX deliveries_aggregate ON deliveries (tenant, endpoint_id, aggregate, replay_id, position) WHERE state = 'PENDING';

CREATE TABLE gates (
    tenant text NOT NULL,
    endpoint_id text NOT NULL,
    leases timestamptz[] NOT NULL DEFAULT '{}',
    aggregates text[] NOT NULL DEFAULT '{}',
    paid_until timestamptz NOT NULL,
    opens_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, endpoint_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
"""


def upgrade() -> None:
    """Make the columns, the indexes and the gates."""
    execute_script(_ORDER)
