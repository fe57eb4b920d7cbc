"""API keys that expire, are bound to addresses, are rotated, and tell when they were last used."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; a gateway that does not know them yet goes on making keys."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "ALTER TABLE api_keys ADD COLUMN allowed_ips text[] NOT NULL DEFAULT '{}', ADD COLUMN expires_at timestamptz,"
        " ADD COLUMN replaced_by text, ADD COLUMN retires_at timestamptz, ADD COLUMN last_used_at timestamptz,"
        " ADD CONSTRAINT api_keys_retiring CHECK ((replaced_by IS NULL) = (retires_at IS NULL))"
    )
    # `last_used_at` changes once a minute on keys in use: room on the page keeps the update there.
    op.execute("ALTER TABLE api_keys SET (fillfactor = 70)")
