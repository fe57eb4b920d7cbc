"""A transaction that makes accounts says which of the platform's own are in it, and which only lack a trustline."""

from libs.common.persistence.alembic_env import execute_script

revision = "0009"
down_revision = "0008"

_ACCOUNTS = """
ALTER TABLE creations ADD COLUMN own_accounts text[] NOT NULL DEFAULT '{}';
ALTER TABLE creations ADD COLUMN existing text[] NOT NULL DEFAULT '{}';
DROP INDEX wallets_waiting;
CREATE INDEX wallets_waiting ON wallets (network, created_at) WHERE chain_state IN ('WAITING', 'EXISTS');
"""


def upgrade() -> None:
    """Say so; wallets whose account somebody else made wait with the others."""
    execute_script(_ACCOUNTS)
