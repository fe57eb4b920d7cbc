"""What Postgres should think of the due table before it has looked, so that no claim reads an endpoint's whole backlog.

Without statistics two columns of equality are taken to leave one row, and then every index that begins with (tenant, endpoint)
looks as good as the right one: 4 million rows read for one claim of 40 endpoints ordered by aggregate. How many tenants and
endpoints there are changes by the minute, so a small number is fixed; `analyze_due` has it noted as soon as there is a row.
"""

from alembic import op

from libs.common.persistence.alembic_env import execute_script

revision = "0015"
down_revision = "0014"

_NUMBERS = """
ALTER TABLE deliveries_pending
    ALTER COLUMN tenant SET (n_distinct = 4),
    ALTER COLUMN endpoint_id SET (n_distinct = 10);
"""

_ANALYZE = """
CREATE FUNCTION analyze_due() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = webhooks, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_stats
                WHERE schemaname = 'webhooks' AND tablename = 'deliveries_pending' AND attname = 'endpoint_id')
       OR NOT EXISTS (SELECT FROM deliveries_pending)
       OR NOT pg_try_advisory_xact_lock(hashtext('webhooks analyze'), hashtext('deliveries_pending')) THEN
        RETURN false;
    END IF;
    ANALYZE deliveries_pending;
    RETURN true;
END $$
"""


def upgrade() -> None:
    """Fix the numbers, and make the function; a table that has statistics gets new ones."""
    execute_script(_NUMBERS)
    op.execute(_ANALYZE)
    op.execute("ANALYZE deliveries_pending")
