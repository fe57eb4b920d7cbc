"""What every service can be asked."""

import msgspec


class Ping(msgspec.Struct, frozen=True):
    """Whether the service answers, and its database answers it."""
