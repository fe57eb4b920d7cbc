"""What webhooks obeys."""

import msgspec


class CreateEndpoint(msgspec.Struct, frozen=True):
    """Register a URL for events; `events` holds catalogue names, `family.*` or `*`. No reply repeats the secret."""

    endpoint_id: str
    url: str
    events: tuple[str, ...]
    secret: str
    description: str | None = None


class DeleteEndpoint(msgspec.Struct, frozen=True):
    """Stop deliveries to an endpoint for good."""

    endpoint_id: str
