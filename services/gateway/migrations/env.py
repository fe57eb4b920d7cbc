"""Alembic's entrance to the gateway's schema."""

from libs.common.persistence.alembic_env import run
from services.gateway.store.tables import metadata

run(metadata)
