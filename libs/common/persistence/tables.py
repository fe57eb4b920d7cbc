"""The columns every service's schema shares; SQLModel describes tables for migrations and tests, never at run time."""

import re
import types
from datetime import datetime

from sqlalchemy import DateTime, Index, LargeBinary, MetaData, Text
from sqlmodel import Field, SQLModel

APPEND_ONLY = "append-only"
"""In the comment of a table that its role may read and insert into, and nothing else."""
ONLY = re.compile(r"only (\w+)")
"""Begins the comment of a table that this role has for itself: the service's own role can't even read it."""


class InboxColumns(SQLModel):
    """Messages handled, and what was answered."""

    tenant: str = Field(sa_type=Text, primary_key=True)
    message_id: str = Field(sa_type=Text, primary_key=True)
    type: str = Field(sa_type=Text)
    reply_to: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    reply: bytes | None = Field(sa_type=LargeBinary)
    received_at: datetime = Field(sa_type=DateTime(timezone=True))


class OutboxColumns(SQLModel):
    """Messages to publish."""

    id: str = Field(sa_type=Text, primary_key=True)
    exchange: str = Field(sa_type=Text)
    routing_key: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)
    publish_after: datetime = Field(sa_type=DateTime(timezone=True))


def add_inbox_and_outbox(base: type[SQLModel]) -> None:
    """Describe the two tables that every service with a write path has, in the schema of `base`."""
    _add(base, InboxColumns, "inbox", Index("inbox_received_at", "received_at"))
    _add(base, OutboxColumns, "outbox", Index("outbox_publish_after", "publish_after"))


def _add(base: type[SQLModel], columns: type[SQLModel], name: str, index: Index) -> None:
    body = {"__tablename__": name, "__table_args__": (index,), "__module__": base.__module__}
    types.new_class(name.capitalize(), (columns, base), {"table": True}, lambda namespace: namespace.update(body))


def schema_metadata(schema: str) -> MetaData:
    """Make the metadata of one service: SQLModel's own is global, and two services may not both name a table `inbox`."""
    return MetaData(schema=schema)


INBOX_OUTBOX_V1 = """
CREATE TABLE inbox (
    tenant text NOT NULL,
    message_id text NOT NULL,
    type text NOT NULL,
    reply_to text NOT NULL,
    reference text NOT NULL,
    state text NOT NULL CHECK (state IN ('claimed', 'pending', 'answered')),
    reply bytea,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, message_id)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.05);
-- A row that waits for another service's answer is updated once and grows by its reply: with this room it stays on its page, and
-- no index is touched again. Services whose messages hardly ever wait fill their pages since a later migration.
CREATE INDEX inbox_received_at ON inbox (received_at);
CREATE TABLE outbox (
    id text PRIMARY KEY,
    exchange text NOT NULL,
    routing_key text NOT NULL,
    body bytea NOT NULL,
    publish_after timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_publish_after ON outbox (publish_after);
"""
"""The first version of the two tables, for the first migration of each service."""
