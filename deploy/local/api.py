"""What the launcher asks the running stack over HTTP: is it ready, and two API keys."""

import asyncio
from typing import Final

import httpx

from deploy.local.errors import LocalError
from deploy.local.state import ApiKeys

_HTTP_SECONDS: Final = 10.0
_READY_SECONDS: Final = 3.0


async def ready(health_port: int) -> str:
    """Return nothing when a process is ready, else what it lacks."""
    try:
        async with httpx.AsyncClient(timeout=_READY_SECONDS, trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{health_port}/ready")
    except httpx.HTTPError as error:
        return repr(error)
    return "" if answer.is_success else answer.text


async def keys_for(api_url: str, *, master_key: str, kept: ApiKeys | None) -> ApiKeys:
    """Return the kept keys when this database still knows them, else new ones.

    Raises:
        LocalError: the gateway makes none.
    """
    async with httpx.AsyncClient(timeout=_HTTP_SECONDS, trust_env=False) as client:
        try:
            if kept is not None and await _known(client, api_url, kept):
                return kept
            return ApiKeys(
                api_key=await _make(client, api_url, master_key, name="local", scopes=["read", "write"]),
                support_key=await _make(client, api_url, master_key, name="local support", scopes=["read", "write", "support"]),
            )
        except httpx.HTTPError as error:
            raise LocalError(f"the gateway at {api_url} makes no API key: {error!r}") from None


async def _known(client: httpx.AsyncClient, api_url: str, keys: ApiKeys) -> bool:
    requests = (
        client.get(f"{api_url}/auth/api-keys", headers={"Authorization": f"Bearer {key}"}, params={"limit": 1})
        for key in (keys.api_key, keys.support_key)
    )
    # A key that is known but may not list keys is refused with 403; only an unknown one gets 401.
    return all(answer.status_code != httpx.codes.UNAUTHORIZED for answer in await asyncio.gather(*requests))


async def _make(client: httpx.AsyncClient, api_url: str, master_key: str, *, name: str, scopes: list[str]) -> str:
    answer = await client.post(
        f"{api_url}/auth/api-keys", headers={"Authorization": f"Bearer {master_key}"}, json={"name": name, "scopes": scopes}
    )
    if not answer.is_success:
        raise LocalError(f"the gateway at {api_url} makes no API key: {answer.status_code} {answer.text}")
    key: str = answer.json()["data"]["key"]
    return key
