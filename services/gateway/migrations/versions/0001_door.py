"""API keys, and the requests that came with an Idempotency-Key."""

from alembic import op

revision = "0001"
down_revision = None

_DOOR = """
CREATE TABLE api_keys (
    tenant text NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    marketplace text NOT NULL,
    mode text NOT NULL,
    scopes text[] NOT NULL,
    hint text NOT NULL,
    digest bytea NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant, id),
    CONSTRAINT api_keys_mode CHECK (mode IN ('live', 'test'))
);
CREATE UNIQUE INDEX api_keys_digest ON api_keys (digest);

-- Each row is inserted, completed once and deleted when it expires: room on the page keeps the one update there.
CREATE TABLE requests (
    tenant text NOT NULL,
    api_key_id text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    command_id text NOT NULL,
    state text NOT NULL,
    status smallint,
    body bytea,
    claimed_at timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (tenant, api_key_id, key),
    CONSTRAINT requests_state CHECK (state IN ('in_progress', 'completed')),
    CONSTRAINT requests_answered CHECK ((state = 'completed') = (body IS NOT NULL))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX requests_expires_at ON requests (expires_at) WHERE expires_at IS NOT NULL;
"""


def upgrade() -> None:
    """Make the door's tables."""
    for statement in _DOOR.split(";\n"):
        if statement.strip():
            op.execute(statement)
