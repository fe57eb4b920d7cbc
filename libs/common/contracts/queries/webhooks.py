"""What webhooks can be asked."""

import msgspec


class GetEndpoint(msgspec.Struct, frozen=True):
    """One endpoint; never its secret."""

    endpoint_id: str


class ListEndpoints(msgspec.Struct, frozen=True):
    """A page of endpoints, newest first."""

    limit: int = 20
    cursor: str | None = None


class ListDeliveries(msgspec.Struct, frozen=True):
    """A page of an endpoint's deliveries, newest first."""

    endpoint_id: str
    limit: int = 20
    cursor: str | None = None
    state: str | None = None


class GetDelivery(msgspec.Struct, frozen=True):
    """One delivery to an endpoint, with its attempts."""

    endpoint_id: str
    delivery_id: str


class GetHealth(msgspec.Struct, frozen=True):
    """How an endpoint does."""

    endpoint_id: str


class GetEvidence(msgspec.Struct, frozen=True):
    """What proves a delivery to somebody who has the endpoint's secret."""

    endpoint_id: str
    delivery_id: str


class ListReplays(msgspec.Struct, frozen=True):
    """A page of an endpoint's replays, newest first."""

    endpoint_id: str
    limit: int = 20
    cursor: str | None = None


class GetReplay(msgspec.Struct, frozen=True):
    """One replay, with how far it has come."""

    endpoint_id: str
    replay_id: str


class ListEvents(msgspec.Struct, frozen=True):
    """A page of the event log, oldest first, after a position; with `events` only of those (names, `family.*`, `*`)."""

    limit: int = 20
    after: int = 0
    events: tuple[str, ...] | None = None


class GetEvent(msgspec.Struct, frozen=True):
    """One event of the log."""

    event_id: str


class ReadLog(msgspec.Struct, frozen=True):
    """The log's events after a position, oldest first, as streams need them; at most `limit`."""

    after: int
    limit: int


class GetAddress(msgspec.Struct, frozen=True):
    """What secrets for this service are sealed with on their way."""


class FindPosition(msgspec.Struct, frozen=True):
    """Where the log begins and ends, and where to begin to have all that was logged since an instant."""

    since: str | None = None
    """An ISO instant with its offset; None for from now on."""
