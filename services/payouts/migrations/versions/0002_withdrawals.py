"""Withdrawals, and which one a user has under way."""

from libs.common.persistence.alembic_env import execute_script

revision = "0002"
down_revision = "0001"

_WITHDRAWALS = """
CREATE TABLE withdrawals (
    tenant text NOT NULL,
    id text NOT NULL,
    user_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency IN ('USD', 'XLM')),
    quoted_currency text NOT NULL,
    destination_type text NOT NULL CHECK (destination_type IN ('stellar')),
    address text NOT NULL,
    memo_type text CHECK (memo_type IN ('text', 'id', 'hash')),
    memo text,
    description text,
    metadata jsonb,
    status text NOT NULL CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELED')),
    is_booked boolean NOT NULL,
    waiting_from timestamptz,
    cancel_requested boolean NOT NULL,
    cancel_reason text,
    transaction_hash text,
    transaction_ledger bigint,
    failure_code text,
    failure_reason text,
    version bigint NOT NULL CHECK (version > 0),
    sequence bigint NOT NULL,
    pending jsonb,
    pending_tries integer NOT NULL,
    pending_due timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT withdrawals_memo CHECK ((memo IS NULL) = (memo_type IS NULL)),
    CONSTRAINT withdrawals_pending CHECK ((pending IS NULL) = (pending_due IS NULL)),
    CONSTRAINT withdrawals_waiting CHECK (waiting_from IS NULL
        OR (is_booked AND pending IS NULL AND status IN ('PENDING', 'PROCESSING'))),
    CONSTRAINT withdrawals_paid CHECK (status <> 'COMPLETED' OR transaction_hash IS NOT NULL)
);
CREATE INDEX withdrawals_status ON withdrawals (tenant, status, created_at, id) WHERE is_booked;
CREATE INDEX withdrawals_user ON withdrawals (tenant, user_id, status, created_at, id) WHERE is_booked;
CREATE INDEX withdrawals_pending_due ON withdrawals (pending_due) WHERE pending_due IS NOT NULL;
CREATE INDEX withdrawals_waiting_from ON withdrawals (waiting_from) WHERE waiting_from IS NOT NULL;

CREATE TABLE withdrawals_in_flight (
    tenant text NOT NULL,
    user_id text NOT NULL,
    withdrawal_id text NOT NULL,
    PRIMARY KEY (tenant, user_id)
);
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_WITHDRAWALS)
