"""Keys of deliveries as short as can be: a pending one is unique by its id again, whatever its event's day."""

from libs.common.persistence.alembic_env import execute_script

revision = "0013"
down_revision = "0012"

_KEYS = """
ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey;
ALTER TABLE deliveries_pending ADD PRIMARY KEY (tenant, endpoint_id, id);
ALTER TABLE deliveries_ended ADD PRIMARY KEY (tenant, endpoint_id, id, logged_at);
"""


def upgrade() -> None:
    """Replace the key of both by one of each."""
    execute_script(_KEYS)
