"""Leases: one event stream per user, whichever gateway serves it."""

from alembic import op

revision = "0005"
down_revision = "0004"

# Rewritten every few seconds and never many: pages are left half empty, so that renewals stay on their page.
_LEASES = """
CREATE TABLE leases (
    tenant text NOT NULL,
    api_key_id text NOT NULL,
    user_id text NOT NULL,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, api_key_id, user_id)
) WITH (fillfactor = 50)
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(_LEASES)
