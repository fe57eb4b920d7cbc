"""Finds servers that are there already: those the environment names, then those on their default local ports."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aiormq
import asyncpg

from deploy.local.errors import LocalError
from deploy.local.settings import operating_system_user

POSTGRES_ADDRESS: Final = "127.0.0.1:5432"
BROKER_ADDRESS: Final = "127.0.0.1:5672"
EMBEDDED: Final = "embedded"
_PROBE_SECONDS: Final = 3.0
_POSTGRES_MINIMUM: Final = 15
_RABBITMQ_MINIMUM: Final = (3, 10)
"""Quorum queues that dead-letter at least once."""

_POSTGRES_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)
_BROKER_TROUBLE: Final = (OSError, TimeoutError, aiormq.exceptions.AMQPError, ValueError)
_MAY: Final = "SELECT rolsuper OR (rolcreatedb AND rolcreaterole) FROM pg_roles WHERE rolname = current_user"

# A probe that fails is an answer, and is told as one; the client's own complaint would only alarm whoever watches.
logging.getLogger("aiormq").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Found:
    """A server that accepts us, or the reason why there is none."""

    url: str = ""
    reason: str = ""


async def find_postgres(address: str = POSTGRES_ADDRESS) -> Found:
    """Look for a Postgres on its default port where we may make databases and roles."""
    reasons = []
    for user in dict.fromkeys(("postgres", operating_system_user() or "postgres")):
        found = await probe_postgres(f"postgresql://{quote(user, safe='')}@{address}/postgres")
        if found.url:
            return found
        reasons.append(f"as {user}: {found.reason}")
    return Found(reason="; ".join(reasons))


async def probe_postgres(url: str) -> Found:
    """Log in and check the version and what we may do."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            connection = await asyncpg.connect(url)
            try:
                version = connection.get_server_version().major
                may = await connection.fetchval(_MAY)
            finally:
                await connection.close()
    except _POSTGRES_TROUBLE as error:
        return Found(reason=_in_words(error))
    if version < _POSTGRES_MINIMUM:
        return Found(reason=f"it is Postgres {version}, and {_POSTGRES_MINIMUM} is the oldest that will do")
    if not may:
        return Found(reason="this user may not create databases and roles")
    return Found(url)


async def find_broker(address: str = BROKER_ADDRESS) -> Found:
    """Look for a RabbitMQ on its default port that lets guest in."""
    url = f"amqp://guest:guest@{address}/"
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            connection = await aiormq.connect(url)
            properties = connection.server_properties
            await connection.close()
    except _BROKER_TROUBLE as error:
        return Found(reason=_in_words(error))
    product, version = str(properties.get("product")), str(properties.get("version"))
    if product != "RabbitMQ" or _release(version) < _RABBITMQ_MINIMUM:
        return Found(
            reason=f"it is {product} {version}, and RabbitMQ {'.'.join(map(str, _RABBITMQ_MINIMUM))} is the oldest that will do"
        )
    return Found(url)


async def require_broker(url: str) -> None:
    """Make sure that the broker the environment names can be used.

    Raises:
        LocalError: it can't; the message has the reason, not the password.
    """
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            connection = await aiormq.connect(url)
            await connection.close()
    except _BROKER_TROUBLE as error:
        raise LocalError(f"the broker at {without_password(url)} (AMQP_URL) can't be used: {_in_words(error)}") from None


def database_named_in(url: str) -> str:
    """Return the database a Postgres URL names, or nothing."""
    return unquote(urlsplit(url).path.lstrip("/"))


def with_database(url: str, database: str) -> str:
    """Point a Postgres URL at another database of the same server."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{quote(database, safe='')}", parts.query, parts.fragment))


def address_of(url: str) -> str:
    """Return host:port of a URL."""
    return urlsplit(url).netloc.rsplit("@", 1)[-1]


def without_password(url: str) -> str:
    """Return a URL that may be shown."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{address_of(url)}{parts.path}"


def _release(version: str) -> tuple[int, ...]:
    numbers = version.split(".")[:2]
    return tuple(int(number) for number in numbers) if all(number.isdecimal() for number in numbers) else ()


def _in_words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_PROBE_SECONDS:g} s"
    return " ".join(str(error).split()) or repr(error)
