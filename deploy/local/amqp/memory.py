from collections.abc import Callable


class MemoryGauge:
    """Octets held by queued messages, against a limit; past it publishers wait until a fifth is free again.

    The gap between raising and clearing keeps a broker at its limit from stopping and starting its publishers at every ack.
    """

    _CLEAR_AT = 0.8

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.alarmed = False
        self._on_clear: list[Callable[[], None]] = []

    def add(self, octets: int) -> None:
        self.used_bytes += octets
        if self.used_bytes > self.limit_bytes:
            self.alarmed = True

    def release(self, octets: int) -> None:
        self.used_bytes -= octets
        if self.alarmed and self.used_bytes <= self.limit_bytes * self._CLEAR_AT:
            self.alarmed = False
            waiting, self._on_clear = self._on_clear, []
            for resume in waiting:
                resume()

    def when_clear(self, resume: Callable[[], None]) -> None:
        """Calls `resume` once, when the alarm ends."""
        self._on_clear.append(resume)
