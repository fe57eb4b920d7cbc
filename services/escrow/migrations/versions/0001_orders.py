"""Orders, each one row with its milestones, escrow and dispute; and the parties they are between."""

from libs.common.persistence.alembic_env import execute_script
from libs.common.persistence.tables import INBOX_OUTBOX_V1

revision = "0001"
down_revision = None

_ORDERS = """
CREATE TABLE parties (
    tenant text NOT NULL,
    user_id text NOT NULL,
    status text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE orders (
    tenant text NOT NULL,
    id text NOT NULL,
    client_order_ref text,
    buyer_id text NOT NULL,
    seller_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency IN ('USD', 'XLM')),
    quoted_currency text NOT NULL,
    title text NOT NULL,
    description text,
    metadata jsonb,
    fee_bps integer NOT NULL CHECK (fee_bps BETWEEN 0 AND 10000),
    status text NOT NULL
        CHECK (status IN ('ORDER_CREATED', 'FUNDS_RESERVED', 'ESCROW_FUNDING', 'IN_PROGRESS', 'DISPUTED', 'CLOSED')),
    final_status text CHECK (final_status IN ('RELEASED', 'REFUNDED', 'SPLIT', 'CANCELED', 'EXPIRED')),
    milestones jsonb NOT NULL,
    escrow jsonb,
    dispute jsonb,
    comments jsonb NOT NULL,
    dispute_status text CHECK (dispute_status IN ('OPEN', 'UNDER_REVIEW', 'RESOLVED')),
    dispute_opened_by text CHECK (dispute_opened_by IN ('BUYER', 'SELLER')),
    dispute_opened_at timestamptz,
    version bigint NOT NULL CHECK (version > 0),
    sequence bigint NOT NULL CHECK (sequence > 0),
    pending jsonb,
    pending_since timestamptz,
    pending_tries integer NOT NULL,
    pending_due timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT orders_two_parties CHECK (buyer_id <> seller_id),
    CONSTRAINT orders_end CHECK ((status = 'CLOSED') = (final_status IS NOT NULL)),
    CONSTRAINT orders_escrowed CHECK (escrow IS NOT NULL OR status IN ('ORDER_CREATED', 'FUNDS_RESERVED', 'CLOSED')),
    CONSTRAINT orders_contested CHECK (
        (dispute IS NULL) = (dispute_status IS NULL) AND (dispute IS NULL) = (dispute_opened_at IS NULL)
        AND (dispute IS NULL) = (dispute_opened_by IS NULL) AND (status <> 'DISPUTED' OR dispute_status <> 'RESOLVED')),
    CONSTRAINT orders_frozen_while_disputed CHECK (status <> 'DISPUTED' OR dispute IS NOT NULL),
    CONSTRAINT orders_pending CHECK (
        (pending IS NULL) = (pending_since IS NULL) AND (pending IS NULL) = (pending_due IS NULL)
        AND (pending IS NULL OR status <> 'CLOSED'))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
CREATE UNIQUE INDEX orders_client_order_ref ON orders (tenant, client_order_ref) WHERE client_order_ref IS NOT NULL;
-- Ids sort by time, so each of these hands out its newest page from its end.
CREATE INDEX orders_buyer ON orders (tenant, buyer_id, id);
CREATE INDEX orders_seller ON orders (tenant, seller_id, id);
CREATE INDEX orders_status ON orders (tenant, status, id);
CREATE INDEX orders_disputes ON orders (tenant, dispute_opened_at, id) WHERE dispute_opened_at IS NOT NULL;
CREATE INDEX orders_pending_due ON orders (pending_due) WHERE pending_due IS NOT NULL;
"""


def upgrade() -> None:
    """Make the orders."""
    execute_script(INBOX_OUTBOX_V1 + _ORDERS)
