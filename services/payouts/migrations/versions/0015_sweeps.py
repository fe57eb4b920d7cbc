"""What users' accounts hold goes to the treasury."""

from libs.common.persistence.alembic_env import execute_script

revision = "0015"
down_revision = "0014"

_SWEEPS = """
CREATE TABLE sweep_rounds (
    network text NOT NULL PRIMARY KEY,
    begun_at timestamptz NOT NULL
);
CREATE TABLE sweeps (
    id text NOT NULL PRIMARY KEY,
    network text NOT NULL,
    tenant text NOT NULL,
    wallet_id text NOT NULL,
    account text NOT NULL,
    sequence bigint NOT NULL,
    usd bigint NOT NULL CHECK (usd >= 0),
    xlm bigint NOT NULL CHECK (xlm >= 0),
    inner_hash text NOT NULL,
    hashes text[] NOT NULL,
    envelope text NOT NULL,
    bump_hash text NOT NULL DEFAULT '',
    bump_envelope text NOT NULL DEFAULT '',
    bid bigint NOT NULL,
    max_time bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'done', 'failed')),
    outcome text NOT NULL,
    transaction_hash text,
    created_at timestamptz NOT NULL,
    CONSTRAINT sweeps_something CHECK (usd + xlm > 0)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX sweeps_open ON sweeps (network, account) WHERE state = 'open';
CREATE INDEX sweeps_inner ON sweeps (inner_hash);
CREATE INDEX sweeps_bump ON sweeps (bump_hash);
CREATE INDEX slot_items_source ON slot_items (source) WHERE state = 'OPEN' AND source IS NOT NULL;
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_SWEEPS)
