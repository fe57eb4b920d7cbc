"""Furnishes the stack's own Stellar network: accounts for the platform, and a treasury that can pay."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx

from deploy.local.errors import LocalError
from deploy.local.processes import Command, spawn
from deploy.local.server_processes import ROOT, run_to_end
from deploy.local.state import Secrets, StateDir
from deploy.local.stellar_keys import address_of

DOLLARS: Final = 1_000_000
LUMENS: Final = 5_000
_PREPARE_SECONDS: Final = 120.0
_HTTP_SECONDS: Final = 30.0
_HURRY_SECONDS: Final = 0.1


async def fund(url: str, secrets: Secrets) -> None:
    """Have Friendbot give the issuer and the sponsor lumens, unless they have an account.

    Raises:
        LocalError: the sandbox does not do it.
    """
    async with _sandbox(url) as http:
        wanted = [address_of(secret) for secret in (secrets.stellar_issuer, secrets.stellar_sponsor)]
        answers = await asyncio.gather(*(http.get(f"/accounts/{account}") for account in wanted))
        new = [account for account, answer in zip(wanted, answers, strict=True) if answer.status_code == httpx.codes.NOT_FOUND]
        for answer in await asyncio.gather(*(http.get("/friendbot", params={"addr": account}) for account in new)):
            _check(answer)


async def prepare(url: str, environment: Mapping[str, str], state: StateDir) -> None:
    """Have payouts make the platform's own accounts, as it does on any network; its signer must run.

    Raises:
        LocalError: it says what is in the way.
    """
    command = Command(
        name="prepare",
        arguments=[sys.executable, "-m", "services.payouts", "prepare"],
        environment=environment,
        log=state.logs / "prepare.log",
        cwd=ROOT,
    )
    async with _sandbox(url):
        await run_to_end(command, spawn, deadline_seconds=_PREPARE_SECONDS)


async def endow(url: str, secrets: Secrets) -> None:
    """Give a treasury that has no dollars some, and lumens.

    Raises:
        LocalError: the sandbox does not do it.
    """
    treasury, issuer = address_of(secrets.stellar_treasury), address_of(secrets.stellar_issuer)
    async with _sandbox(url) as http:
        shown = await http.get(f"/accounts/{treasury}")
        _check(shown)
        held = {line.get("asset_code", "XLM"): float(line["balance"]) for line in shown.json()["balances"]}
        for name, asset, amount in (("USDC", f"USDC:{issuer}", DOLLARS), ("XLM", "native", LUMENS)):
            if not held.get(name):
                payment = {"secret": secrets.stellar_issuer, "to": treasury, "asset": asset, "amount": str(amount)}
                _check(await http.post("/sandbox/payments", json=payment))


@contextlib.asynccontextmanager
async def _sandbox(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to the sandbox, whose ledgers do not wait for their time meanwhile."""
    async with httpx.AsyncClient(base_url=url, timeout=_HTTP_SECONDS, trust_env=False) as http:
        hurry = asyncio.create_task(_hurry(http))
        try:
            yield http
        except httpx.HTTPError as error:
            raise LocalError(f"the sandbox Horizon at {url} does not answer: {error!r}") from None
        finally:
            hurry.cancel()
            await asyncio.wait([hurry])


async def _hurry(http: httpx.AsyncClient) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if (await http.get("/sandbox/network")).json()["waiting"]:
                await http.post("/sandbox/ledgers")
        await asyncio.sleep(_HURRY_SECONDS)


def _check(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise LocalError(f"the sandbox Horizon answers {answer.request.url.path} with {answer.status_code} {answer.text}")
