"""What came of comparing chain and books."""

from libs.common.persistence.alembic_env import execute_script

revision = "0011"
down_revision = "0010"

_TALLIES = """
CREATE TABLE tallies (
    network text NOT NULL,
    currency text NOT NULL,
    ledger bigint NOT NULL,
    held bigint NOT NULL,
    booked bigint NOT NULL,
    unbooked bigint NOT NULL,
    compared_at timestamptz NOT NULL,
    PRIMARY KEY (network, currency)
);
"""


def upgrade() -> None:
    """Make it."""
    execute_script(_TALLIES)
