"""Who pays each payment of a slot; and which withdrawals would have been paid, had another in their transaction not failed."""

from libs.common.persistence.alembic_env import execute_script

revision = "0013"
down_revision = "0012"

_SOURCES = """
ALTER TABLE slot_items ADD COLUMN source text;
ALTER TABLE withdrawals ADD COLUMN is_proven boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    """Say so; what is there was paid by the treasury."""
    execute_script(_SOURCES)
