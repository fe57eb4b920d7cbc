"""Asks Horizon whether an account could be paid, without Stellar's library, which costs 57 MB a process."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import httpx

from services.payouts.domain.destinations import Destination, can_not_receive

AT_ONCE: Final = 20
_REACH_SECONDS: Final = 1.0


class Destinations:
    """A Horizon, asked about other people's accounts."""

    def __init__(self, url: str, usdc_issuer: str) -> None:
        """Ask here; nothing is opened yet."""
        self._url = url
        self._issuer = usdc_issuer

    async def unable(self, asked: Sequence[Destination], *, seconds: float) -> set[Destination]:
        """Return those that are known not to be able to receive.

        Only an account that is shown proves anything: whatever is not answered in these seconds, or not found, may well be paid.
        """
        found: set[Destination] = set()
        gate = asyncio.Semaphore(AT_ONCE)
        timeout = httpx.Timeout(seconds, connect=min(seconds, _REACH_SECONDS))
        async with httpx.AsyncClient(base_url=self._url, timeout=timeout, trust_env=False) as http:

            async def look(destination: Destination) -> None:
                async with gate:
                    lines = await _lines(http, destination.account)
                if lines is not None and can_not_receive(destination, lines, self._issuer):
                    found.add(destination)

            tasks = [asyncio.create_task(look(destination)) for destination in asked]
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return found


async def _lines(http: httpx.AsyncClient, account: str) -> list[Any] | None:
    try:
        answer = await http.get(f"/accounts/{account}")
        body = answer.json() if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError):
        return None
    lines = body.get("balances") if isinstance(body, dict) else None
    return lines if isinstance(lines, list) else None
