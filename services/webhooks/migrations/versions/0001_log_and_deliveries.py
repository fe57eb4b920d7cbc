"""The event log, endpoints with their secrets, deliveries with their attempts."""

from libs.common.persistence.alembic_env import execute_script
from libs.common.persistence.tables import INBOX_OUTBOX_V1

revision = "0001"
down_revision = None

_LOG = """
CREATE TABLE log_heads (
    tenant text NOT NULL,
    log text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant, log)
) WITH (fillfactor = 50);

CREATE TABLE streams (
    tenant text NOT NULL,
    aggregate text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (tenant, aggregate)
) WITH (fillfactor = 70);

CREATE TABLE event_gaps (
    tenant text NOT NULL,
    aggregate text NOT NULL,
    sequence bigint NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    user_ids jsonb NOT NULL,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, aggregate, sequence)
);

CREATE TABLE event_log (
    tenant text NOT NULL,
    position bigint NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    aggregate text NOT NULL,
    sequence bigint NOT NULL,
    user_ids jsonb NOT NULL,
    body bytea NOT NULL,
    logged_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, position)
);
CREATE UNIQUE INDEX event_log_sequence ON event_log (tenant, aggregate, sequence);
CREATE UNIQUE INDEX event_log_id ON event_log (tenant, id);
COMMENT ON TABLE event_log IS 'append-only: what happened';
"""

_DELIVERIES = """
CREATE TABLE endpoints (
    tenant text NOT NULL,
    id text NOT NULL,
    url text NOT NULL,
    events jsonb NOT NULL,
    description text,
    active boolean NOT NULL,
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE secrets (
    tenant text NOT NULL,
    endpoint_id text NOT NULL,
    number integer NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, endpoint_id, number)
);

CREATE TABLE deliveries (
    tenant text NOT NULL,
    endpoint_id text NOT NULL,
    id text NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'EXHAUSTED', 'CANCELED')),
    attempts integer NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    last_status integer,
    last_error text,
    lease_token text,
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, endpoint_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE UNIQUE INDEX deliveries_once ON deliveries (tenant, position, endpoint_id);
-- One lane per endpoint. No lease column is in an index, so taking and giving back a lease stays on its page.
CREATE INDEX deliveries_due ON deliveries (tenant, endpoint_id, next_attempt_at) WHERE state = 'PENDING';

CREATE TABLE attempts (
    tenant text NOT NULL,
    delivery_id text NOT NULL,
    number integer NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status integer,
    error text,
    response bytea NOT NULL,
    PRIMARY KEY (tenant, delivery_id, number)
);
"""


def upgrade() -> None:
    """Make the log and the due table."""
    execute_script(INBOX_OUTBOX_V1 + _LOG + _DELIVERIES)
