"""The Alembic environment of every service: its own schema, its own version table, one transaction a run."""

import re
from typing import Final

from alembic import context, op
from sqlalchemy import Connection, MetaData, text

_PARTITION: Final = re.compile(r"_(p\d{8}|rest|pending|ended)$")
"""Ends the name of a day's partition, of the one for what no day was made for, and of those of what is open or closed.

The table they belong to is described."""


def is_described(name: str | None, kind: str, schema: str | None) -> bool:
    """Tell whether something of this name in the database is to be compared with the tables of a schema."""
    if kind == "schema":
        return name == schema
    return kind != "table" or name is None or _PARTITION.search(name) is None


def run(metadata: MetaData) -> None:
    """Migrate the schema that `metadata` names over the connection that the caller put into the configuration."""
    connection: Connection = context.config.attributes["connection"]
    schema = metadata.schema
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))
    connection.execute(text("SET LOCAL lock_timeout TO '5s'"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=schema,
        include_schemas=True,
        include_name=lambda name, kind, _: is_described(name, kind, schema),
        compare_type=True,
    )
    context.run_migrations()


def execute_script(script: str) -> None:
    """Run a migration's statements one by one; each ends with `;` at the end of its line."""
    for statement in script.split(";\n"):
        if statement.strip():
            op.execute(statement)
