"""The deliveries of an endpoint by state: the few that failed are found among a million that arrived, and the other way round.

It costs two entries a delivery, one for each state it is in, beside an insert, a lease and an outcome.
"""

from libs.common.persistence.alembic_env import execute_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the index."""
    execute_script("CREATE INDEX deliveries_state ON deliveries (tenant, endpoint_id, state, id);\n")
