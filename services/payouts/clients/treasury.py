"""Asks Horizon what the treasury holds, without Stellar's library, which costs 57 MB a process."""

from typing import Final

import httpx

from libs.common.kernel.money import Currency
from services.payouts.clients.connections import connected_to
from services.payouts.domain.treasury import spendable

_TIMEOUT: Final = httpx.Timeout(5.0)


async def holdings(url: str, account: str, usdc_issuer: str) -> dict[Currency, int] | None:
    """Return what the account can pay of each currency, in stroops; None when Horizon does not show it now."""
    try:
        async with connected_to(url, _TIMEOUT) as http:
            answer = await http.get(f"/accounts/{account}")
        return spendable(answer.json(), usdc_issuer) if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError):
        return None
