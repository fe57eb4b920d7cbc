"""Alembic's entrance to the ledger's schema."""

from libs.common.persistence.alembic_env import run
from services.ledger.store.tables import metadata

run(metadata)
