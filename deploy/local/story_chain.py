"""The part of the story that happens on the sandbox's Stellar network: somebody pays in, somebody is paid, anybody can look."""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

_PATIENCE_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.1


class NetworkError(Exception):
    """The network did not do what the story wants."""


@dataclass(frozen=True, slots=True)
class Network:
    """The sandbox, and its issuer, who has dollars for everybody."""

    http: httpx.AsyncClient
    dollar: str
    """`USDC:` and its issuer."""
    issuer_secret: str

    @classmethod
    def of_environment(cls) -> Self | None:
        """Return the stack's own network; None when it uses another."""
        secret = os.environ.get("OFFERHUB_SANDBOX_ISSUER_SECRET")
        if not secret:
            return None
        http = httpx.AsyncClient(base_url=os.environ["STELLAR_HORIZON_URL"], timeout=_PATIENCE_SECONDS, trust_env=False)
        return cls(http, f"USDC:{os.environ['STELLAR_USDC_ISSUER']}", secret)

    async def somebody(self) -> str:
        """Make an account somewhere else, which accepts dollars, and return its address."""
        answer = await self.http.post("/sandbox/accounts", json={"trusts": [self.dollar]})
        return str(_body(answer)["address"])

    async def pay_in(self, address: str, amount: str) -> str:
        """Pay to a deposit address, as soon as its account is there, and return the transaction's hash.

        Raises:
            NetworkError: it can't be paid.
        """
        payment = {"secret": self.issuer_secret, "to": address, "asset": self.dollar, "amount": amount}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (await self.http.get(f"/accounts/{address}")).status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                raise NetworkError(f"there is no account {address}")
            await asyncio.sleep(_PAUSE_SECONDS)
        return str(_body(await self.http.post("/sandbox/payments", json=payment))["hash"])

    async def payments_of(self, transaction_hash: str) -> list[tuple[str, str]]:
        """Look a transaction up: whom it pays, and how much."""
        found = _body(await self.http.get(f"/transactions/{transaction_hash}/operations"))
        records: list[dict[str, Any]] = found["_embedded"]["records"]
        return [(each["to"], each["amount"]) for each in records if each["type"] == "payment"]


def _body(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise NetworkError(f"{answer.request.method} {answer.request.url.path} → {answer.status_code}: {answer.text}")
    body: dict[str, Any] = answer.json()
    return body
