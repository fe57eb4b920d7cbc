"""Secrets that follow one another: from when on each signs first, and until when it signs at all."""

from libs.common.persistence.alembic_env import execute_script

revision = "0002"
down_revision = "0001"

_ROTATION = """
ALTER TABLE secrets ADD COLUMN primary_at timestamptz, ADD COLUMN retires_at timestamptz;
UPDATE secrets SET primary_at = created_at;
ALTER TABLE secrets ALTER COLUMN primary_at SET NOT NULL;
"""


def upgrade() -> None:
    """Let an endpoint have several secrets at once."""
    execute_script(_ROTATION)
