"""The log and the deliveries that ended, by the day (UTC) of the event: a day is dropped whole once it is no longer kept.

Deliveries that are not finished lie by themselves, in the table that dispatchers claim from. When a day is dropped, the events
that such a delivery still has to carry are moved to `event_log_rest`, where days that nobody made wait too. Up to a tenant's
floor the log has holes.

What is there is copied: a minute for some ten million rows, in which nothing is logged or delivered.

Code of the version before can't make deliveries on these tables: `logged_at` has no default. That is against ADR 0008, and nobody
has had to suffer it: no released version ran on the tables of before. Who ran one from a checkout stops webhooks, migrates,
and starts the new one; events wait in their queue meanwhile, and the gateway answers 503 for what is asked of webhooks.
"""

from alembic import op

from libs.common.persistence.alembic_env import execute_script

revision = "0012"
down_revision = "0011"

_LOG = """
ALTER TABLE event_log RENAME TO event_log_before;
ALTER TABLE event_log_before RENAME CONSTRAINT event_log_pkey TO event_log_before_pkey;
DROP INDEX event_log_sequence;
DROP INDEX event_log_id;
CREATE TABLE event_log (LIKE event_log_before, PRIMARY KEY (tenant, position, logged_at)) PARTITION BY RANGE (logged_at);
COMMENT ON TABLE event_log IS 'append-only: what happened';
CREATE INDEX event_log_id ON event_log (tenant, id);
CREATE TABLE event_log_rest PARTITION OF event_log DEFAULT;

CREATE TABLE log_floors (
    tenant text NOT NULL,
    log text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant, log)
);
"""

_DELIVERIES = """
ALTER TABLE deliveries RENAME TO deliveries_before;
ALTER TABLE deliveries_before RENAME CONSTRAINT deliveries_pkey TO deliveries_before_pkey;
DROP INDEX deliveries_state, deliveries_once_each, deliveries_replayed, deliveries_due, deliveries_fifo, deliveries_aggregate;
CREATE TABLE deliveries (
    LIKE deliveries_before INCLUDING DEFAULTS,
    logged_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, endpoint_id, id, state, logged_at)
) PARTITION BY LIST (state);

CREATE TABLE deliveries_pending PARTITION OF deliveries FOR VALUES IN ('PENDING')
    WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE UNIQUE INDEX deliveries_once_each ON deliveries_pending (tenant, position, endpoint_id, replay_id);
CREATE INDEX deliveries_replayed ON deliveries_pending (tenant, replay_id) WHERE replay_id <> '';
-- One lane per endpoint. No lease column is in an index, so taking and giving back a lease stays on its page.
CREATE INDEX deliveries_due ON deliveries_pending (tenant, endpoint_id, next_attempt_at);
CREATE INDEX deliveries_fifo ON deliveries_pending (tenant, endpoint_id, replay_id, position);
CREATE INDEX deliveries_aggregate ON deliveries_pending (tenant, endpoint_id, aggregate, replay_id, position);

CREATE TABLE deliveries_ended PARTITION OF deliveries FOR VALUES IN ('DELIVERED', 'EXHAUSTED', 'CANCELED')
    PARTITION BY RANGE (logged_at);
CREATE INDEX deliveries_ended_state ON deliveries_ended (tenant, endpoint_id, state, id);
CREATE INDEX deliveries_ended_position ON deliveries_ended (tenant, position, endpoint_id);
CREATE INDEX deliveries_ended_replayed ON deliveries_ended (tenant, replay_id, state) WHERE replay_id <> '';
CREATE TABLE deliveries_ended_rest PARTITION OF deliveries_ended DEFAULT;
"""

# One process makes or drops days, another that comes meanwhile has nothing to do. What is older than `since` stays in the rest.
_MAKE = """
CREATE FUNCTION make_days_of(parent text, instant text, today date, ahead integer, since date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = webhooks, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    rest text := parent || '_rest';
    wanted date;
    name text;
    is_there boolean;
    made integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('webhooks days'), hashtext(parent)) THEN
        RETURN 0;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I >= $1)', rest, instant) INTO is_there USING since::timestamptz;
    IF NOT is_there
       AND NOT EXISTS (SELECT FROM generate_series(today, today + ahead, interval '1 day') AS s(d)
                        WHERE to_regclass(parent || '_p' || to_char(s.d, 'YYYYMMDD')) IS NULL) THEN
        RETURN 0;
    END IF;
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', rest);
    FOR wanted IN EXECUTE format(
        'SELECT s.d::date FROM generate_series($1, $1 + $2, interval ''1 day'') AS s(d)'
        ' UNION SELECT %I::date FROM %I WHERE %I >= $3 ORDER BY 1', instant, rest, instant) USING today, ahead, since::timestamptz
    LOOP
        name := parent || '_p' || to_char(wanted, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I)', name, parent);
        EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                       rest, instant, wanted::timestamptz, instant, (wanted + 1)::timestamptz, name);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       parent, name, wanted::timestamptz, (wanted + 1)::timestamptz);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$
"""
_MAKE_ALL = """
CREATE FUNCTION make_log_days(today date, ahead integer, since date) RETURNS integer LANGUAGE sql AS $$
    SELECT make_days_of('event_log', 'logged_at', today, ahead, since)
         + make_days_of('deliveries_ended', 'logged_at', today, ahead, since)
$$
"""
_MAKE_ATTEMPTS = """
CREATE OR REPLACE FUNCTION make_attempt_days(today date, ahead integer) RETURNS integer LANGUAGE sql AS $$
    SELECT make_days_of('attempts', 'started_at', today, ahead, '-infinity')
$$
"""

# Whoever makes a delivery of an event holds a lock on the event's day until its commit, so none is made that is not seen here.
_DROP = """
CREATE FUNCTION drop_log_days(before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = webhooks, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    day text;
    dropped integer := 0;
BEGIN
    IF before > now()::date THEN
        RAISE EXCEPTION 'events of today can not be dropped: % is in the future', before;
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('webhooks days'), hashtext('event_log')) THEN
        RETURN 0;
    END IF;
    FOR day IN
        SELECT right(c.relname, 9) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'event_log'::regclass AND c.relname ~ '^event_log_p[0-9]{8}$'
           AND to_date(right(c.relname, 8), 'YYYYMMDD') < before
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', 'deliveries_ended_' || day);
        PERFORM raise_floors('event_log_' || day, before);
        EXECUTE format('ALTER TABLE event_log DETACH PARTITION %I', 'event_log_' || day);
        EXECUTE format('INSERT INTO event_log_rest SELECT v.* FROM %I v WHERE EXISTS'
                       ' (SELECT FROM deliveries_pending d WHERE d.tenant = v.tenant AND d.position = v.position)',
                       'event_log_' || day);
        EXECUTE format('DROP TABLE %I', 'event_log_' || day);
        dropped := dropped + 1;
    END LOOP;
    PERFORM raise_floors('event_log_rest', before);
    DELETE FROM deliveries_ended_rest WHERE logged_at < before::timestamptz;
    DELETE FROM event_log_rest v WHERE v.logged_at < before::timestamptz AND NOT EXISTS (
        SELECT FROM deliveries_pending d WHERE d.tenant = v.tenant AND d.position = v.position);
    RETURN dropped;
END $$
"""
_FLOORS = """
CREATE FUNCTION raise_floors(gone text, before date) RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
BEGIN
    EXECUTE format(
        'WITH RECURSIVE tenants AS ('
        '    (SELECT tenant FROM %1$I ORDER BY tenant LIMIT 1)'
        '    UNION ALL'
        '    SELECT (SELECT v.tenant FROM %1$I v WHERE v.tenant > t.tenant ORDER BY v.tenant LIMIT 1) FROM tenants t'
        '     WHERE t.tenant IS NOT NULL)'
        ' INSERT INTO log_floors AS f (tenant, log, position)'
        ' SELECT t.tenant, ''events'', l.position FROM tenants t'
        '  CROSS JOIN LATERAL (SELECT v.position FROM %1$I v WHERE v.tenant = t.tenant AND v.logged_at < $1'
        '                       ORDER BY v.position DESC LIMIT 1) l'
        ' ON CONFLICT (tenant, log) DO UPDATE SET position = excluded.position WHERE f.position < excluded.position', gone)
    USING before::timestamptz;
END $$
"""

_MOVE = """
INSERT INTO event_log SELECT * FROM event_log_before;
INSERT INTO deliveries SELECT d.*, v.logged_at FROM deliveries_before d
  JOIN event_log_before v ON v.tenant = d.tenant AND v.position = d.position;
DROP TABLE deliveries_before;
DROP TABLE event_log_before;
"""


def upgrade() -> None:
    """Make the tables and the functions, and move what is there."""
    execute_script(_LOG + _DELIVERIES)
    for function in (_MAKE, _MAKE_ALL, _MAKE_ATTEMPTS, _FLOORS, _DROP):
        op.execute(function)
    execute_script(_MOVE)
    op.execute("SELECT make_log_days((now() AT TIME ZONE 'UTC')::date, 7, '-infinity')")
