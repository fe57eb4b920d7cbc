"""What webhooks announces about itself."""

import msgspec


class EndpointEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """webhook.created, webhook.updated, webhook.secret_rotated, webhook.disabled, webhook.deleted and webhook.exhausted."""

    webhook_id: str
    url: str
    event_id: str | None = None


class EndpointTest(msgspec.Struct, frozen=True):
    """webhook.test: asked for by whoever wants to see a delivery, which has this id."""

    webhook_id: str
    url: str
    delivery_id: str
