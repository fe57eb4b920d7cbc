"""What every gateway is told at once. A notice that is lost is late, never missing: each has a slower way to be learned."""

import msgspec

from libs.common.contracts.replies import webhooks


class LogGrew(msgspec.Struct, frozen=True):
    """The tenant's event log has come to this position, and everything up to it can be read."""

    position: int
    events: tuple[webhooks.StreamedEvent, ...] = ()
    """The last ones up to it, when they are small enough to be told with it: who follows closely need not ask for them."""


class StreamTaken(msgspec.Struct, frozen=True):
    """A user's stream has a new holder; whoever held it before ends."""

    api_key_id: str
    user_id: str
    """Empty when the stream is not of one user."""
    holder: str
