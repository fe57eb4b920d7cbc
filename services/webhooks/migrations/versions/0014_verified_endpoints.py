"""Since when an endpoint's receiver is known to want our deliveries. Those that are there are asked with their next delivery."""

from libs.common.persistence.alembic_env import execute_script

revision = "0014"
down_revision = "0013"

_VERIFIED = "ALTER TABLE endpoints ADD COLUMN verified_at timestamptz;"


def upgrade() -> None:
    """Add the column."""
    execute_script(_VERIFIED)
