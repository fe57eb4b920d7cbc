"""Whether the platform is under maintenance: one row while it is, none while it is not."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        "CREATE TABLE maintenance ("
        " is_on boolean PRIMARY KEY DEFAULT true,"
        " message text,"
        " enabled_at timestamptz NOT NULL,"
        " enabled_by text NOT NULL,"
        " CONSTRAINT maintenance_only CHECK (is_on))"
    )
