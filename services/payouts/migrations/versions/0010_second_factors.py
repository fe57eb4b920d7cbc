"""Users' second factors; their keys derive from the seeds that the signer keeps."""

from libs.common.persistence.alembic_env import execute_script

revision = "0010"
down_revision = "0009"

_FACTORS = """
CREATE TABLE second_factors (
    tenant text NOT NULL,
    user_id text NOT NULL,
    id text NOT NULL,
    wallet_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'ACTIVE')),
    last_step bigint NOT NULL,
    failures integer NOT NULL,
    locked_until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, user_id)
);
CREATE UNIQUE INDEX second_factors_id ON second_factors (tenant, id);
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_FACTORS)
