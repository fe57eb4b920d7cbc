"""Alembic's entrance to the payouts schema."""

from libs.common.persistence.alembic_env import run
from services.payouts.store.tables import metadata

run(metadata)
