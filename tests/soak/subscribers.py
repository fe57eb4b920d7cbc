"""Receivers as the guide to webhooks describes them: each verifies what arrives with what it knows, and rotates its secret."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Final

from aiohttp import web

from libs.common.kernel.clock import SystemClock, read_instant
from tests.soak.verifiers import Delivery, Node, in_python
from tests.support.receiver import Receiver

Post = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Sends a POST to the API and returns its `data`."""
_DEPLOYED: Final = 0.75
"""The part of the overlap after which the libraries' key has been replaced."""
_FLIGHT_SECONDS: Final = 0.5
"""So long after its end an old secret is still known, for what was on its way."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """How secrets change: for so long the new one is staged, and then the old one signs beside it."""

    stage_seconds: int
    overlap_seconds: int


@dataclass(slots=True)
class Subscriber:
    """One endpoint with its receiver."""

    receiver: Receiver
    makes_secrets: bool
    """Brings secrets of its own; otherwise the platform makes them."""
    node: Node | None
    dice: Random
    refusing: float
    """The share of first attempts that are verified and then refused, so that they come again later."""
    id: str = ""
    key: str = ""
    secrets: list[str] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    checks: Counter[str] = field(default_factory=Counter)
    """How often each check accepted."""
    forged: Counter[str] = field(default_factory=Counter)
    """How often each check accepted what had been changed on the way."""
    signatures: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    rotations: int = 0

    async def register(self, post: Post) -> None:
        """Register for users; the receiver listens from now on."""
        body: dict[str, Any] = {"url": self.receiver.url, "events": ["user.created"]}
        answer = await post("/webhooks", body | ({"secret": self._new_secret()} if self.makes_secrets else {}))
        self.id, self.key = answer["id"], answer["signing_key"]
        if not self.makes_secrets:
            self.secrets.append(answer["secret"])
        self.receiver.answer = self.take

    async def rotate(self, post: Post, rotation: Rotation) -> None:
        """Change the secret as the guide says: both known by hand meanwhile, the libraries' key replaced before the end."""
        old = list(self.secrets)
        body: dict[str, Any] = {"stage_seconds": rotation.stage_seconds, "overlap_seconds": rotation.overlap_seconds}
        answer = await post(
            f"/webhooks/{self.id}/rotate-secret", body | ({"secret": self._new_secret()} if self.makes_secrets else {})
        )
        if not self.makes_secrets:
            self.secrets.append(answer["secret"])
        until = read_instant(answer["previous_until"])
        await asyncio.sleep(_seconds_to(until) * _DEPLOYED)
        self.key = answer["signing_key"]
        await asyncio.sleep(_seconds_to(until) + _FLIGHT_SECONDS)
        self.secrets = [secret for secret in self.secrets if secret not in old]
        self.rotations += 1

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Verify a delivery in every way there is, and a forged one beside it; keep it unless a check refused it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = Delivery(self.key, tuple(self.secrets), headers, await request.read())
        accepted = await self._asked(delivery)
        self.checks.update(name for name, is_good in accepted.items() if is_good)
        self.forged.update(name for name, is_good in (await self._asked(delivery.forged())).items() if is_good)
        self.signatures[len(headers["webhook-signature"].split())] += 1
        if not all(accepted.values()):
            return web.Response(status=401)
        if headers["x-offerhub-attempt"] == "1" and self.dice.random() < self.refusing:
            self.refused += 1
            return web.Response(status=500)
        self.users.add(json.loads(delivery.body)["data"]["user_id"])
        return web.Response(status=204)

    async def _asked(self, delivery: Delivery) -> dict[str, bool]:
        return in_python(delivery) | (await self.node.verify(delivery) if self.node is not None else {})

    def _new_secret(self) -> str:
        """Make a secret and know it before anybody can sign with it."""
        self.secrets.append(f"of-our-own-{secrets.token_hex(8)}")
        return self.secrets[-1]


def _seconds_to(instant: datetime | None) -> float:
    assert instant is not None
    return max((instant - SystemClock().now()).total_seconds(), 0.0)
