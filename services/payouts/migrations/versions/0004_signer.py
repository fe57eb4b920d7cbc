"""Secrets and a log that only the signer's role may touch, and the batches in which accounts are made on the chain."""

from libs.common.persistence.alembic_env import execute_script

revision = "0004"
down_revision = "0003"

_SIGNER = """
CREATE TABLE wallet_secrets (
    tenant text NOT NULL,
    wallet_id text NOT NULL,
    public_key text NOT NULL,
    network text NOT NULL,
    version integer NOT NULL,
    kek_id text NOT NULL,
    kek_version integer NOT NULL,
    wrapped_key bytea NOT NULL,
    sealed_seed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, wallet_id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX wallet_secrets_public_key ON wallet_secrets (public_key, network);
COMMENT ON TABLE wallet_secrets IS 'only signer';

CREATE TABLE signatures (
    position bigint PRIMARY KEY,
    kind text NOT NULL,
    intent_id text NOT NULL,
    transaction_hash text NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    signed_at timestamptz NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL
);
COMMENT ON TABLE signatures IS 'only signer, append-only';

CREATE TABLE creations (
    id text PRIMARY KEY,
    network text NOT NULL,
    source text NOT NULL,
    sequence bigint NOT NULL,
    tenants text[] NOT NULL,
    wallet_ids text[] NOT NULL,
    transaction_hash text NOT NULL,
    hashes text[] NOT NULL,
    envelope text NOT NULL,
    fee_max bigint NOT NULL,
    max_time bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'done', 'failed')),
    outcome text NOT NULL,
    created_at timestamptz NOT NULL
);
-- One transaction at a time uses the sponsor's sequence numbers.
CREATE UNIQUE INDEX creations_open ON creations (network, source) WHERE state = 'open';

-- The version before this one still writes secrets here; they are moved, and the default says that there is none.
ALTER TABLE wallets ALTER COLUMN sealed_secret SET DEFAULT '';
ALTER TABLE wallets ADD COLUMN chain_state text NOT NULL DEFAULT 'WAITING';
CREATE INDEX wallets_to_move ON wallets (tenant, id) WHERE sealed_secret <> '';
CREATE INDEX wallets_waiting ON wallets (network, created_at) WHERE chain_state = 'WAITING';
"""


def upgrade() -> None:
    """Make the tables; the code before this migration goes on writing wallets as it did."""
    execute_script(_SIGNER)
