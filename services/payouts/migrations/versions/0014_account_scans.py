"""How far each account of ours has been looked through, where accounts are looked at and not ledgers."""

from libs.common.persistence.alembic_env import execute_script

revision = "0014"
down_revision = "0013"

_ACCOUNT_SCANS = """
CREATE TABLE account_scans (
    network text NOT NULL,
    account text NOT NULL,
    cursor bigint NOT NULL,
    usd bigint,
    xlm bigint,
    ledger bigint NOT NULL DEFAULT 0,
    sign_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    trouble text,
    is_accepted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (network, account),
    CONSTRAINT account_scans_held CHECK ((usd IS NULL) = (xlm IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX account_scans_due ON account_scans (network, due_at);
CREATE UNIQUE INDEX deposits_operation ON deposits (network, transaction_hash, (operation_id & 4095));
"""


def upgrade() -> None:
    """Make them; and no operation of a transaction brings anything twice, whatever ledger it is said to be in."""
    execute_script(_ACCOUNT_SCANS)
