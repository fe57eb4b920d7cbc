"""Replays: jobs that deliver a part of the log to an endpoint again, and the deliveries that they make.

An event goes to an endpoint once as it happens, and once for each replay that covers it.
"""

from libs.common.persistence.alembic_env import execute_script

revision = "0008"
down_revision = "0007"

_REPLAYS = """
CREATE TABLE replays (
    tenant text NOT NULL,
    endpoint_id text NOT NULL,
    id text NOT NULL,
    state text NOT NULL CONSTRAINT replays_state_check CHECK (state IN ('RUNNING', 'PAUSED', 'COMPLETED', 'CANCELED')),
    from_position bigint NOT NULL,
    to_position bigint NOT NULL,
    events jsonb NOT NULL,
    only_those text NOT NULL,
    per_second integer NOT NULL,
    cursor bigint NOT NULL,
    enqueued bigint NOT NULL,
    next_step_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, endpoint_id, id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX replays_due ON replays (next_step_at) WHERE next_step_at IS NOT NULL;

ALTER TABLE deliveries ADD COLUMN replay_id text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX deliveries_once_each ON deliveries (tenant, position, endpoint_id, replay_id);
DROP INDEX deliveries_once;
CREATE INDEX deliveries_replayed ON deliveries (tenant, replay_id, state) WHERE replay_id <> '';
"""


def upgrade() -> None:
    """Make the jobs, and let an event go to an endpoint more than once."""
    execute_script(_REPLAYS)
