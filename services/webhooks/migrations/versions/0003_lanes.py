"""Lanes: how an endpoint's receiver has been doing, and until when its backlog is parked."""

from libs.common.persistence.alembic_env import execute_script

revision = "0003"
down_revision = "0002"

_LANES = """
CREATE TABLE lanes (
    tenant text NOT NULL,
    endpoint_id text NOT NULL,
    failures integer NOT NULL,
    probes integer NOT NULL,
    parked_until timestamptz,
    failing_since timestamptz,
    last_success_at timestamptz,
    PRIMARY KEY (tenant, endpoint_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
"""


def upgrade() -> None:
    """Make the lanes."""
    execute_script(_LANES)
