"""Every delivery verifies while secrets rotate: a small soak. `make soak` is the big one, with Node's verifiers."""

import secrets
from typing import Any

from tests.e2e.market import Market
from tests.soak.run import Options, run
from tests.soak.subscribers import Rotation

SMALL = Options(deliveries=200, rotations=2, rotation=Rotation(stage_seconds=0, overlap_seconds=1))


async def test_every_delivery_verifies_through_rotations(market: Market, stack: dict[str, str]) -> None:
    body = {"name": "soak", "scopes": ["read", "write"], "marketplace": f"soak-{secrets.token_hex(6)}"}
    key = (await market.make("/auth/api-keys", body, key=stack["OFFERHUB_MASTER_KEY"]))["key"]

    async def post(path: str, sent: dict[str, Any]) -> dict[str, Any]:
        return await market.make(path, sent, key=key)

    result = await run(post, SMALL, node=None)
    assert result.breaches() == []
    assert result.requests >= SMALL.deliveries
    assert result.rotations >= SMALL.rotations * SMALL.endpoints
    assert result.signatures[2] > 0
