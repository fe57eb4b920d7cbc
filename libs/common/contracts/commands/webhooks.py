"""What webhooks obeys."""

import msgspec


class CreateEndpoint(msgspec.Struct, frozen=True):
    """Register a URL for events; `events` holds catalogue names, `family.*` or `*`. No reply repeats the secret.

    The secret comes as a `letter` to the service, for (tenant, endpoint); in clear only from a version that writes none.
    `order_mode` is parallel, per_aggregate or fifo; without a maximum the service's own limits hold.
    """

    endpoint_id: str
    url: str
    events: tuple[str, ...]
    secret: str
    description: str | None = None
    order_mode: str = "parallel"
    max_in_flight: int | None = None
    max_per_second: int | None = None
    letter: str = ""


class UpdateEndpoint(msgspec.Struct, frozen=True):
    """Change what is given of an endpoint; a `description` or a maximum of None is removed.

    While it is not `active` its events gather.
    """

    endpoint_id: str
    url: str | None = None
    events: tuple[str, ...] | None = None
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    active: bool | None = None
    order_mode: str | None = None
    max_in_flight: int | msgspec.UnsetType | None = msgspec.UNSET
    max_per_second: int | msgspec.UnsetType | None = msgspec.UNSET


class SendTestEvent(msgspec.Struct, frozen=True):
    """Deliver a `webhook.test` to this endpoint, whatever it subscribes to, and to no other."""

    endpoint_id: str


class ResendDelivery(msgspec.Struct, frozen=True):
    """Send a delivery again at once, whatever became of it before."""

    endpoint_id: str
    delivery_id: str


class StartReplay(msgspec.Struct, frozen=True):
    """Deliver a part of the log to an endpoint again, by a job that goes on by itself.

    Both positions are included; without `to_position` it goes to the log's end as it is now. Without `events` it sends what the
    endpoint subscribes to. `only` is `all`, `failed` (given up) or `undelivered` (neither arrived nor on its way).
    """

    replay_id: str
    endpoint_id: str
    from_position: int = 1
    to_position: int | None = None
    events: tuple[str, ...] | None = None
    only: str = "all"
    per_second: int = 100


class SteerReplay(msgspec.Struct, frozen=True):
    """`pause`, `resume` or `cancel` a replay. What a canceled one has not sent yet is never sent."""

    endpoint_id: str
    replay_id: str
    action: str


class RotateSecret(msgspec.Struct, frozen=True):
    """Give an endpoint another secret.

    For `stage_seconds` it signs beside the old one, then for `overlap_seconds` the old one beside it. No reply repeats it.
    It comes as that of `CreateEndpoint` does.
    """

    endpoint_id: str
    secret: str
    overlap_seconds: int
    stage_seconds: int = 0
    letter: str = ""


class DeleteEndpoint(msgspec.Struct, frozen=True):
    """Stop deliveries to an endpoint for good."""

    endpoint_id: str
