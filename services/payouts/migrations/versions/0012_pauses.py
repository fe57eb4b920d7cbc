"""Assets of which no payment is begun for the time being."""

from libs.common.persistence.alembic_env import execute_script

revision = "0012"
down_revision = "0011"

_PAUSES = """
CREATE TABLE asset_pauses (
    currency text NOT NULL CHECK (currency IN ('USD', 'XLM')),
    cause text NOT NULL CHECK (cause IN ('operator', 'balance', 'fault')),
    reason text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (currency, cause)
);
CREATE INDEX slots_failed ON slots (closed_at) WHERE state = 'FAILED';
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_PAUSES)
