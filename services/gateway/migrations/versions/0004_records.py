"""A record of every request that changes something: idempotency row, request log and audit log in one, sealed by a chain."""

from alembic import op

revision = "0004"
down_revision = "0003"

# Each row is inserted when the request is claimed, completed once, and deleted when retention says so. The unique index holds
# the keys that are in use; the one on open requests is nearly empty, so that the sweeper finds what a dead process left.
_RECORDS = """
ALTER TABLE requests RENAME TO old_requests;
ALTER TABLE old_requests DROP CONSTRAINT requests_pkey;
DROP INDEX requests_expires_at;
CREATE TABLE requests (
    tenant text NOT NULL,
    id text NOT NULL,
    api_key_id text NOT NULL,
    key text,
    holds_key boolean NOT NULL,
    fingerprint bytea,
    request_id text,
    about bytea NOT NULL,
    state text NOT NULL,
    status smallint,
    code text,
    resource_id text,
    before bytea,
    body bytea,
    started_at timestamptz NOT NULL,
    claimed_at timestamptz,
    completed_at timestamptz,
    expires_at timestamptz,
    batch_id text,
    record_hash bytea,
    PRIMARY KEY (tenant, id),
    CONSTRAINT requests_state CHECK (state IN ('in_progress', 'completed')),
    CONSTRAINT requests_ended CHECK ((state = 'completed') = (status IS NOT NULL)),
    CONSTRAINT requests_key CHECK (key IS NOT NULL OR NOT holds_key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX requests_keys ON requests (tenant, api_key_id, key) WHERE holds_key;
CREATE INDEX requests_own_ids ON requests (tenant, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX requests_resources ON requests (tenant, resource_id, id) WHERE resource_id IS NOT NULL;
CREATE INDEX requests_open ON requests (started_at) WHERE state = 'in_progress';
CREATE INDEX requests_completed ON requests USING brin (completed_at);
CREATE INDEX requests_batches ON requests (batch_id) WHERE batch_id IS NOT NULL;
CREATE TABLE request_batches (
    position bigint NOT NULL,
    id text NOT NULL,
    digest bytea NOT NULL,
    hash bytea NOT NULL,
    records integer NOT NULL,
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (position),
    CONSTRAINT request_batches_id UNIQUE (id)
);
CREATE TABLE request_head (
    one boolean NOT NULL DEFAULT true,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (one),
    CONSTRAINT request_head_one CHECK (one)
);
INSERT INTO request_head (position, hash) VALUES (0, decode(repeat('00', 32), 'hex'));
INSERT INTO requests (tenant, id, api_key_id, key, holds_key, fingerprint, about, state, started_at, claimed_at, expires_at)
SELECT tenant, 'req' || substr(command_id, 4), api_key_id, key, true, fingerprint,
       convert_to('{"request_id":"","method":"POST","path":""}', 'UTF8'), 'in_progress', now(), NULL, expires_at
  FROM old_requests;
DROP TABLE old_requests
"""


def upgrade() -> None:
    """Make the records' tables; keys in use stay so, and a repeat asks the owner again under its command id."""
    for statement in _RECORDS.split(";\n"):
        op.execute(statement)
