"""Attempts by the day they were made on, in UTC: whole days are dropped when they are no longer kept.

Days are made ahead by `make_attempt_days`, and what comes on a day that nobody made waits in `attempts_rest` until it is. Both
functions run with their owner's rights, so that the service's role need own nothing.
"""

from alembic import op

from libs.common.persistence.alembic_env import execute_script

revision = "0010"
down_revision = "0009"

_ATTEMPTS = """
ALTER TABLE attempts RENAME TO attempts_before;
ALTER TABLE attempts_before RENAME CONSTRAINT attempts_pkey TO attempts_before_pkey;
CREATE TABLE attempts (LIKE attempts_before, PRIMARY KEY (tenant, delivery_id, number, started_at))
    PARTITION BY RANGE (started_at);
CREATE TABLE attempts_rest PARTITION OF attempts DEFAULT;
"""

_MAKE = """
CREATE FUNCTION make_attempt_days(today date, ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = webhooks, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    wanted date;
    name text;
    made integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM attempts_rest)
       AND NOT EXISTS (SELECT FROM generate_series(today, today + ahead, interval '1 day') AS s(d)
                        WHERE to_regclass('attempts_p' || to_char(s.d, 'YYYYMMDD')) IS NULL) THEN
        RETURN 0;
    END IF;
    LOCK TABLE attempts_rest IN ACCESS EXCLUSIVE MODE;
    FOR wanted IN
        SELECT s.d::date FROM generate_series(today, today + ahead, interval '1 day') AS s(d)
         UNION SELECT started_at::date FROM attempts_rest ORDER BY 1
    LOOP
        name := 'attempts_p' || to_char(wanted, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE attempts)', name);
        EXECUTE format('WITH moved AS (DELETE FROM attempts_rest WHERE started_at >= %L AND started_at < %L RETURNING *)'
                       ' INSERT INTO %I SELECT * FROM moved', wanted::timestamptz, (wanted + 1)::timestamptz, name);
        EXECUTE format('ALTER TABLE attempts ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       name, wanted::timestamptz, (wanted + 1)::timestamptz);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$
"""

_DROP = """
CREATE FUNCTION drop_attempt_days(before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = webhooks, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    name text;
    dropped integer := 0;
BEGIN
    IF before > now()::date THEN
        RAISE EXCEPTION 'attempts of today can not be dropped: % is in the future', before;
    END IF;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'attempts'::regclass AND c.relname ~ '^attempts_p[0-9]{8}$'
           AND to_date(right(c.relname, 8), 'YYYYMMDD') < before
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$
"""

_MOVE = """
INSERT INTO attempts SELECT * FROM attempts_before;
DROP TABLE attempts_before;
"""


def upgrade() -> None:
    """Keep attempts by the day, those that are there too."""
    execute_script(_ATTEMPTS)
    op.execute(_MAKE)
    op.execute(_DROP)
    execute_script(_MOVE)
    op.execute("SELECT make_attempt_days((now() AT TIME ZONE 'UTC')::date, 7)")
