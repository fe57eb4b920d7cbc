"""Alembic's entrance to the webhooks schema."""

from libs.common.persistence.alembic_env import run
from services.webhooks.store.tables import metadata

run(metadata)
