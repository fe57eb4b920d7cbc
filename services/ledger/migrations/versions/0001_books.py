"""Users, accounts, journals, entries, and the chain of batches."""

from libs.common.persistence.alembic_env import execute_script
from libs.common.persistence.tables import INBOX_OUTBOX_V1

revision = "0001"
down_revision = None

_BOOKS = """
CREATE TABLE users (
    tenant text NOT NULL,
    id text NOT NULL,
    external_user_id text NOT NULL,
    type text NOT NULL CHECK (type IN ('BUYER', 'SELLER', 'BOTH')),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED', 'PENDING_VERIFICATION')),
    email text,
    metadata jsonb NOT NULL,
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX users_external_user_id ON users (tenant, external_user_id);

CREATE TABLE accounts (
    tenant text NOT NULL,
    id text NOT NULL,
    purpose text NOT NULL,
    currency text NOT NULL,
    holder_id text NOT NULL,
    floored boolean NOT NULL,
    balance bigint NOT NULL,
    version bigint NOT NULL,
    sequence bigint NOT NULL,
    is_open boolean NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT accounts_floor CHECK (balance >= 0 OR NOT floored)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
-- No index touches balance, version or sequence, so an update of them stays on its page.
CREATE INDEX accounts_open_holder ON accounts (tenant, holder_id) WHERE is_open;

CREATE TABLE journals (
    tenant text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    subject text,
    description text,
    batch_id text NOT NULL,
    posted_at timestamptz NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);
COMMENT ON TABLE journals IS 'append-only: the books';

CREATE TABLE entries (
    tenant text NOT NULL,
    account_id text NOT NULL,
    version bigint NOT NULL,
    journal_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    balance_after bigint NOT NULL,
    posted_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, account_id, version)
);
COMMENT ON TABLE entries IS 'append-only: the books';

CREATE TABLE batch_head (
    singleton boolean PRIMARY KEY CHECK (singleton),
    number bigint NOT NULL,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO batch_head VALUES (true, 0, '', sha256('offerhub'));

CREATE TABLE batches (
    number bigint PRIMARY KEY,
    id text NOT NULL UNIQUE,
    content bytea NOT NULL,
    journals integer NOT NULL,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL
);
COMMENT ON TABLE batches IS 'append-only: the chain';

CREATE TABLE refusals (
    batch_id text NOT NULL,
    tenant text NOT NULL,
    message_id text NOT NULL,
    type text NOT NULL,
    code text NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (batch_id, tenant, message_id)
);
COMMENT ON TABLE refusals IS 'append-only: the chain';
"""


def upgrade() -> None:
    """Make the books."""
    execute_script(INBOX_OUTBOX_V1 + _BOOKS)
