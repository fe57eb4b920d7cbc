import secrets
from collections.abc import Callable
from enum import StrEnum, auto

from pamqp import base, commands, frame

from deploy.local.amqp import wire
from deploy.local.amqp.errors import ACCESS_REFUSED, COMMAND_INVALID, NOT_ALLOWED, ConnectionFault
from deploy.local.amqp.vhost import VirtualHost

CHANNEL_MAX = 2047
HEARTBEAT_SECONDS = 60
PRODUCT = "OFFER-HUB embedded AMQP broker"
VERSION = "1.0"


class Step(StrEnum):
    START = auto()
    TUNE = auto()
    OPEN = auto()


class Handshake:
    """start → tune → open. Any user and password will do, and any vhost comes into being when it is opened."""

    def __init__(self, open_vhost: Callable[[str], VirtualHost]) -> None:
        self.vhost: VirtualHost | None = None
        self.frame_max = wire.FRAME_MAX
        self.heartbeat_seconds = 0
        self.notifies_cancel = False
        self.hears_blocked = False
        self._open_vhost = open_vhost
        self._step = Step.START

    def advance(self, method: frame.FrameTypes) -> base.Frame | None:
        """The answer to the client's next step; raises ConnectionFault when it is out of turn or refused."""
        match method:
            case commands.Connection.StartOk() if self._step is Step.START:
                return self._start(method)
            case commands.Connection.TuneOk() if self._step is Step.TUNE:
                self._tune(method)
                return None
            case commands.Connection.Open() if self._step is Step.OPEN:
                self.vhost = self._open_vhost(method.virtual_host)
                return commands.Connection.OpenOk()
            case _:
                raise ConnectionFault(COMMAND_INVALID, f"{method.name} is not expected here")

    def _start(self, method: commands.Connection.StartOk) -> base.Frame:
        if method.mechanism != "PLAIN":
            raise ConnectionFault(ACCESS_REFUSED, f"Login was refused: mechanism {method.mechanism} is not PLAIN")
        capabilities = (method.client_properties or {}).get("capabilities")
        if isinstance(capabilities, dict):
            self.notifies_cancel = bool(capabilities.get("consumer_cancel_notify"))
            self.hears_blocked = bool(capabilities.get("connection.blocked"))
        self._step = Step.TUNE
        return commands.Connection.Tune(CHANNEL_MAX, wire.FRAME_MAX, HEARTBEAT_SECONDS)

    def _tune(self, method: commands.Connection.TuneOk) -> None:
        asked = method.frame_max or wire.FRAME_MAX
        if not wire.FRAME_MIN <= asked <= wire.FRAME_MAX:
            raise ConnectionFault(NOT_ALLOWED, f"frame_max {asked} is not between {wire.FRAME_MIN} and {wire.FRAME_MAX}")
        self.frame_max = asked
        self.heartbeat_seconds = method.heartbeat
        self._step = Step.OPEN


def greeting() -> bytes:
    """connection.start, the first frame of the broker."""
    start = commands.Connection.Start(
        server_properties={
            "product": PRODUCT,
            "version": VERSION,
            "platform": "Python",
            "information": "Development only: messages are in memory",
            "cluster_name": f"embedded@{secrets.token_hex(4)}",
            "capabilities": {
                "publisher_confirms": True,
                "basic.nack": True,
                "consumer_cancel_notify": True,
                "connection.blocked": True,
                "per_consumer_qos": True,
                "authentication_failure_close": True,
                "exchange_exchange_bindings": False,
                "consumer_priorities": False,
                "direct_reply_to": False,
            },
        },
        mechanisms="PLAIN",
        locales="en_US",
    )
    return wire.method_frame(0, start)
