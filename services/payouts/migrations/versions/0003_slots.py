"""Channels, the slots of their sequence numbers, what is in each, and every envelope that was ever made for one."""

from libs.common.persistence.alembic_env import execute_script

revision = "0003"
down_revision = "0002"

_SLOTS = """
CREATE TABLE channels (
    public_key text NOT NULL PRIMARY KEY,
    next_sequence bigint,
    is_quarantined boolean NOT NULL DEFAULT false,
    reason text,
    lease_owner text,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz
);

CREATE TABLE slots (
    channel text NOT NULL REFERENCES channels,
    sequence bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'PAID', 'FAILED', 'VOID', 'FOREIGN')),
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    transaction_hash text,
    transaction_ledger bigint,
    PRIMARY KEY (channel, sequence),
    CONSTRAINT slots_evidence CHECK ((state = 'OPEN') = (transaction_hash IS NULL))
);
CREATE UNIQUE INDEX slots_open ON slots (channel) WHERE state = 'OPEN';

CREATE TABLE slot_items (
    channel text NOT NULL,
    sequence bigint NOT NULL,
    place integer NOT NULL CHECK (place BETWEEN 0 AND 99),
    tenant text NOT NULL,
    withdrawal_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'PAID', 'FAILED', 'CANCELED', 'AGAIN')),
    code text,
    PRIMARY KEY (channel, sequence, place),
    FOREIGN KEY (channel, sequence) REFERENCES slots
);
CREATE UNIQUE INDEX slot_items_once ON slot_items (tenant, withdrawal_id) WHERE state IN ('OPEN', 'PAID');

CREATE TABLE envelopes (
    hash text NOT NULL PRIMARY KEY,
    inner_hash text NOT NULL,
    channel text NOT NULL,
    sequence bigint NOT NULL,
    generation integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'tombstone')),
    places integer[] NOT NULL,
    bid bigint NOT NULL,
    fee bigint NOT NULL,
    max_ledger bigint NOT NULL,
    max_time bigint NOT NULL,
    xdr text NOT NULL,
    signed_xdr text,
    told text,
    first_ledger bigint NOT NULL DEFAULT 0,
    last_ledger bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (channel, sequence) REFERENCES slots
);
CREATE INDEX envelopes_slot ON envelopes (channel, sequence);
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_SLOTS)
