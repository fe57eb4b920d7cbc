"""The inbox fills its pages: a message is entered once, with its reply, and hardly ever updated since."""

from libs.common.persistence.alembic_env import execute_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """New pages only; those that are there empty with the retention."""
    execute_script("ALTER TABLE inbox SET (fillfactor = 100);")
