"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply; the code before and after this migration both run on its result."""
    ${upgrades if upgrades else "pass"}
