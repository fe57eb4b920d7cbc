"""Before an endpoint is decided on: look its host up, so that whoever names a private one hears of it at once.

Deliveries are checked again when they are sent, which is what keeps us out of private networks. This is a courtesy, and it
waits no longer than a courtesy should: a name that has no address yet, or is slow, is taken.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from libs.common.contracts.commands.webhooks import CreateEndpoint, UpdateEndpoint
from libs.common.messaging.batch import Work
from services.webhooks.clients.names import LookUp
from services.webhooks.domain.addresses import is_literal, is_public
from services.webhooks.domain.endpoints import NOT_PUBLIC, Problem, url_problem

WAIT_SECONDS: Final = 0.25
_REMEMBERED: Final = 1_000
_NAMING: Final = (CreateEndpoint, UpdateEndpoint)
"""The commands that name a URL."""


class Hosts:
    """What is known of hosts that somebody wants events sent to."""

    def __init__(self, look_up: LookUp, *, allow_private: bool) -> None:
        """Look names up this way; not at all when private ones are allowed."""
        self._allow_private = allow_private
        self._look_up = look_up
        self._private: OrderedDict[str, bool] = OrderedDict()

    async def prepare(self, works: Sequence[Work]) -> None:
        """Look up the hosts that a batch names."""
        if self._allow_private:
            return
        urls = {work.message.url for work in works if isinstance(work.message, _NAMING) and work.message.url is not None}
        hosts = {_host(url) for url in urls if url_problem(url, allow_private=False) is None}
        names = sorted(host for host in hosts if not is_literal(host))
        if names:
            await self._ask(names)

    def problem(self, url: str) -> Problem | None:
        """Say why a URL can't be delivered to, or None when it can as far as is known."""
        problem = url_problem(url, allow_private=self._allow_private)
        if problem is None and self._private.get(_host(url), False):
            return Problem("url", NOT_PUBLIC)
        return problem

    async def _ask(self, names: Sequence[str]) -> None:
        asked = {asyncio.ensure_future(self._look_up(name)): name for name in names}
        done, late = await asyncio.wait(asked, timeout=WAIT_SECONDS)
        for task in late:
            task.cancel()
        for task, name in asked.items():
            found = task.result() if task in done and task.exception() is None else []
            self._private[name] = not all(map(is_public, found))
            self._private.move_to_end(name)
        while len(self._private) > _REMEMBERED:
            self._private.popitem(last=False)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
