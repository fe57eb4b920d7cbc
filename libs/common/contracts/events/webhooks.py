"""What webhooks announces about itself."""

import msgspec


class EndpointEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """webhook.created, webhook.deleted and webhook.exhausted."""

    webhook_id: str
    url: str
    event_id: str | None = None
