"""The gateways' socket: bound once, inherited by all of them, and followed by a second one when they are replaced."""

import socket
from typing import Final

from deploy.local.errors import LocalError

_BACKLOG: Final = 1024


def listen(port: int) -> socket.socket:
    """Listen on a port of the loopback; 0 takes a free one.

    Raises:
        LocalError: the port is taken.
    """
    try:
        # Another socket of the same user may join the one that listens. So that no second stack slips in beside a first one, the
        # port is taken without that for a moment.
        _bound(port, is_joinable=False).close()
        listener = _bound(port, is_joinable=True)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise LocalError(f"port {port} can't be had ({error.strerror}); name another: PORT=4001") from None
    return listener


def join(port: int) -> socket.socket:
    """Return a second socket on a port that `listen` took. It gets connections once somebody listens on it.

    Raises:
        LocalError: what listens there can't be joined.
    """
    try:
        return _bound(port, is_joinable=True)
    except OSError as error:
        raise LocalError(f"port {port} can't be shared ({error.strerror}); `make stop` and `make start` instead") from None


def _bound(port: int, *, is_joinable: bool) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_joinable:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        if not is_joinable:
            listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
