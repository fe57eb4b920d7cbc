"""Asks Horizon whether an account could be paid, without Stellar's library, which costs 57 MB a process."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import httpx

from services.payouts.clients.connections import connected_to
from services.payouts.domain.destinations import NOT_THERE, Destination, Sight, sight_of

AT_ONCE: Final = 20
_MISSING: Final = "/not_found"
"""How the type of Horizon's own 404 ends: anybody else's says nothing about an account."""


class Destinations:
    """A Horizon, asked about other people's accounts; closed with `close`."""

    def __init__(self, url: str, usdc_issuer: str) -> None:
        """Ask here; nothing is opened yet."""
        self._url = url
        self._issuer = usdc_issuer
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Hang up."""
        if self._http is not None:
            await self._http.aclose()

    async def look(self, asked: Sequence[Destination], *, seconds: float) -> dict[Destination, Sight]:
        """Return what is seen of them; what is not answered in these seconds, or not in Horizon's words, is left out."""
        found: dict[Destination, Sight] = {}
        gate, http = asyncio.Semaphore(AT_ONCE), self._client()

        async def look(destination: Destination) -> None:
            async with gate:
                account = await _shown(http, destination.account)
            if account is not None and not account:
                found[destination] = NOT_THERE
            elif account is not None:
                found[destination] = sight_of(destination, account["balances"], account.get("data") or {}, self._issuer)

        tasks = [asyncio.create_task(look(destination)) for destination in asked]
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    def _client(self) -> httpx.AsyncClient:
        """Return the one client, made when it is first needed: making one takes 45 ms, in which nothing else is done."""
        if self._http is None:
            self._http = connected_to(self._url)
        return self._http


async def _shown(http: httpx.AsyncClient, account: str) -> dict[str, Any] | None:
    """Return an account; empty when there is none, None when that can't be told."""
    try:
        answer = await http.get(f"/accounts/{account}")
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        return None
    if not isinstance(body, dict):
        return None
    if answer.status_code == httpx.codes.NOT_FOUND and str(body.get("type")).endswith(_MISSING):
        return {}
    if answer.status_code != httpx.codes.OK or not isinstance(body.get("balances"), list):
        return None
    return body if isinstance(body.get("data", {}), dict) else None
