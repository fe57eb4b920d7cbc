"""Withdrawals that are called off on their way are found at once."""

from libs.common.persistence.alembic_env import execute_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Index them; there are few at a time."""
    execute_script(
        "CREATE INDEX withdrawals_called_off ON withdrawals (tenant, id) WHERE cancel_requested AND status = 'PROCESSING';"
    )
