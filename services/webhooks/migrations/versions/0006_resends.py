"""Deliveries that are sent again: how many attempts there were before, and whether to send once more after the one under way."""

from libs.common.persistence.alembic_env import execute_script

revision = "0006"
down_revision = "0005"

_RESENDS = """
ALTER TABLE deliveries
    ADD COLUMN base_attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN again boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    """Let deliveries begin anew."""
    execute_script(_RESENDS)
