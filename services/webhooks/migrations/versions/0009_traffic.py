"""How many attempts of each endpoint went well or not in each five minutes, by how long their answers took."""

from libs.common.persistence.alembic_env import execute_script

revision = "0009"
down_revision = "0008"

_TRAFFIC = """
CREATE TABLE traffic (
    tenant text NOT NULL,
    endpoint_id text NOT NULL,
    slot timestamptz NOT NULL,
    bucket integer NOT NULL,
    delivered integer NOT NULL,
    failed integer NOT NULL,
    answered integer NOT NULL,
    PRIMARY KEY (tenant, endpoint_id, slot, bucket)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX traffic_slot ON traffic (slot);
"""


def upgrade() -> None:
    """Make the counts."""
    execute_script(_TRAFFIC)
