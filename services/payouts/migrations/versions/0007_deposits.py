"""What came to our accounts on the chain, and how far the chain has been looked through."""

from libs.common.persistence.alembic_env import execute_script

revision = "0007"
down_revision = "0006"

_DEPOSITS = """
CREATE TABLE scans (
    network text NOT NULL PRIMARY KEY,
    ledger bigint,
    hash bytea,
    closed_at timestamptz,
    lease_owner text,
    lease_until timestamptz,
    CONSTRAINT scans_cursor CHECK ((ledger IS NULL) = (hash IS NULL))
);

CREATE TABLE deposits (
    tenant text NOT NULL,
    id text NOT NULL,
    user_id text NOT NULL,
    network text NOT NULL,
    account text NOT NULL,
    operation_id bigint NOT NULL,
    ledger bigint NOT NULL,
    transaction_hash text NOT NULL,
    kind text NOT NULL,
    asset text NOT NULL,
    currency text,
    amount bigint NOT NULL CHECK (amount > 0),
    sender text NOT NULL,
    memo text NOT NULL,
    status text NOT NULL CHECK (status IN ('PENDING', 'CREDITED', 'SUSPENSE', 'KEPT')),
    reason text,
    version integer NOT NULL,
    pending_tries integer NOT NULL DEFAULT 0,
    pending_due timestamptz,
    closed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    credited_at timestamptz,
    PRIMARY KEY (tenant, id),
    CONSTRAINT deposits_once UNIQUE (network, operation_id),
    CONSTRAINT deposits_asked CHECK ((status = 'PENDING') = (pending_due IS NOT NULL)),
    CONSTRAINT deposits_owned CHECK (status IN ('SUSPENSE', 'KEPT') OR (tenant <> '' AND user_id <> '' AND currency IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX deposits_user ON deposits (tenant, user_id, created_at, id);
CREATE INDEX deposits_pending_due ON deposits (pending_due) WHERE pending_due IS NOT NULL;
CREATE INDEX deposits_suspense ON deposits (network, operation_id) WHERE status = 'SUSPENSE';
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_DEPOSITS)
