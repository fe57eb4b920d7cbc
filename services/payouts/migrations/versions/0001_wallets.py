"""Parties and their deposit wallets."""

from libs.common.persistence.alembic_env import execute_script
from libs.common.persistence.tables import INBOX_OUTBOX_V1

revision = "0001"
down_revision = None

_WALLETS = """
CREATE TABLE parties (
    tenant text NOT NULL,
    user_id text NOT NULL,
    status text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE wallets (
    tenant text NOT NULL,
    id text NOT NULL,
    user_id text NOT NULL,
    public_key text NOT NULL,
    provider text NOT NULL,
    network text NOT NULL CHECK (network IN ('testnet', 'mainnet')),
    sealed_secret bytea NOT NULL,
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX wallets_user ON wallets (tenant, user_id);
CREATE UNIQUE INDEX wallets_public_key ON wallets (public_key, network);
"""


def upgrade() -> None:
    """Make the wallets."""
    execute_script(INBOX_OUTBOX_V1 + _WALLETS)
