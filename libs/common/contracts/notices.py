"""What every gateway is told at once. A notice that is lost is late, never missing: each has a slower way to be learned."""

import msgspec


class LogGrew(msgspec.Struct, frozen=True):
    """The tenant's event log has come to this position, and everything up to it can be read."""

    position: int


class StreamTaken(msgspec.Struct, frozen=True):
    """A user's stream has a new holder; whoever held it before ends."""

    api_key_id: str
    user_id: str
    """Empty when the stream is not of one user."""
    holder: str
