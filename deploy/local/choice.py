"""Decides which Postgres and which broker a stack uses: named, found or embedded."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.local.errors import LocalError
from deploy.local.servers import BROKER_ADDRESS, EMBEDDED, POSTGRES_ADDRESS, Found, address_of, find_broker, find_postgres
from deploy.local.settings import LocalSettings, Mode
from deploy.local.state import Origin


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a stack's servers are; an empty URL means embedded."""

    postgres_url: str
    broker_url: str

    @property
    def origin(self) -> Origin:
        """What the state directory remembers of it."""
        return Origin(
            postgres=address_of(self.postgres_url) if self.postgres_url else EMBEDDED,
            broker=address_of(self.broker_url) if self.broker_url else EMBEDDED,
        )


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    variable: str
    address: str
    find: Callable[[], Awaitable[Found]]


_POSTGRES = _Kind("Postgres", "DATABASE_URL", POSTGRES_ADDRESS, find_postgres)
_BROKER = _Kind("RabbitMQ", "AMQP_URL", BROKER_ADDRESS, find_broker)


async def choose(settings: LocalSettings, origin: Origin) -> Choice:
    """Choose as OFFERHUB_LOCAL says; in auto mode a stack stays with the servers its data is on.

    Raises:
        LocalError: only servers are allowed and none will do, or the one with this stack's data does not answer.
    """
    return Choice(
        postgres_url=await _choose(_POSTGRES, settings.mode, named=settings.database_url, before=origin.postgres),
        broker_url=await _choose(_BROKER, settings.mode, named=settings.amqp_url, before=origin.broker),
    )


async def _choose(kind: _Kind, mode: Mode, *, named: str, before: str) -> str:
    if mode is Mode.EMBEDDED:
        return ""
    if named:
        return named
    if mode is Mode.AUTO and before == EMBEDDED:
        return ""
    found = await kind.find()
    if mode is Mode.AUTO and before not in {"", address_of(found.url)}:
        raise LocalError(
            f"this stack's data is on the {kind.title} at {before}, which can't be had"
            f" ({found.reason or 'another one answers'}); start it, name it in {kind.variable}, or `make clean` to start afresh"
        )
    if mode is Mode.SERVERS and not found.url:
        raise LocalError(
            f"OFFERHUB_LOCAL=servers, but no {kind.title} at {kind.address} will do ({found.reason});"
            f" start one, name one in {kind.variable}, or use OFFERHUB_LOCAL=auto"
        )
    return found.url
