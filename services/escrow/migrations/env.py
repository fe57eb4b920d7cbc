"""Alembic's entrance to escrow's schema."""

from libs.common.persistence.alembic_env import run
from services.escrow.store.tables import metadata

run(metadata)
