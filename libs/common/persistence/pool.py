"""Connections to Postgres, set up the same way in every service."""

import asyncio
import hashlib
import hmac
import time
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg
import structlog

COMMAND_TIMEOUT_SECONDS: Final = 30.0
PLAN_SECONDS: Final = 10
"""How long a statement stays prepared. On a table that was empty when its plan was made, any index that begins with the tenant
looks as good as the right one, and the plan is kept until the table is analysed: measured, 1,900 orders/s fell to 870 in 30 s."""

PATIENCE_SECONDS: Final = 60.0
"""How long a service that starts waits for a server that is just starting, or coming back after a crash."""
_PAUSE_SECONDS: Final = 0.25
_NOT_YET: Final = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError)
_log = structlog.get_logger("offerhub.pool")

# The statements join small arrays to indexed tables. On a table that was empty when it was last analysed the planner
# prefers a sequential scan and keeps that plan, so scans and hash joins are made expensive for these connections. So are
# bitmap scans: a kept plan is made for a tenant of average size, and reading all of that and sorting it is as good as a page.
# And a plan is made once for any values: for a few rows Postgres would plan anew each time, which takes longer than to run them.
_PLANNER: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


def role_url(owner_url: str, *, service: str, secret: str) -> str:
    """Turn the owner's database URL into the one of a service's own role, `<database>_<service>`."""
    parts = urlsplit(owner_url)
    role = role_name(owner_url, service)
    host = parts.netloc.rsplit("@", 1)[-1]
    netloc = f"{quote(role, safe='')}:{role_password(secret, role)}@{host}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, parts.fragment))


def role_name(owner_url: str, service: str) -> str:
    """Name the Postgres role of a service in this database."""
    return f"{unquote(urlsplit(owner_url).path.lstrip('/'))}_{service}"


def role_password(secret: str, role: str) -> str:
    """Derive a role's password: HMAC-SHA256 of its name, in hex."""
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()


async def open_pool(url: str, *, schema: str, size: int, application: str, patience_seconds: float = 0.0) -> asyncpg.Pool:
    """Open a pool whose connections see one schema only; a server that can't be reached is tried again for so long.

    Raises:
        OSError, asyncpg.PostgresError: the server can't be reached or refuses us.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return await _open(url, schema=schema, size=size, application=application)
        except _NOT_YET as error:
            if time.monotonic() >= deadline:
                raise
            _log.warning("database.unreachable", error=repr(error))
            await asyncio.sleep(_PAUSE_SECONDS)


async def _open(url: str, *, schema: str, size: int, application: str) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        max_cached_statement_lifetime=PLAN_SECONDS,
        reset=_leave_as_it_is,
        server_settings={
            "search_path": schema,
            "application_name": application,
            "idle_in_transaction_session_timeout": "60s",
            **_PLANNER,
        },
    )


async def _leave_as_it_is(_: object) -> None:
    """Skip asyncpg's `RESET ALL` on release, a round trip each time: no statement of ours changes a session's settings.

    An open transaction is rolled back all the same, before this is called.
    """
