"""Secrets are planted in every setting and every input; after a story no table, log, metric, reply or dead letter holds one.

The stack's own secrets are the canaries of its settings: they were made at random for this run.
"""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from deploy.local.state import StateDir
from libs.common.contracts.envelope import encode
from libs.common.contracts.topology import SERVICES, Topology
from libs.common.messaging.dead_letters import look
from libs.common.persistence.pool import role_name, role_password
from tests.e2e.market import Market
from tests.support.dumps import places, spellings
from tests.support.workers import until

pytestmark = pytest.mark.e2e


@dataclass
class Canaries:
    """What must turn up nowhere, by where it was planted; and everything that was answered meanwhile."""

    planted: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)

    def plant(self, where: str, text: str = "") -> str:
        """Remember a secret; a new one unless it is given."""
        self.planted[where] = text or f"canary-{secrets.token_hex(16)}"
        return self.planted[where]

    def hear(self, answer: httpx.Response) -> httpx.Response:
        """Keep an answer, to be searched like everything else."""
        self.heard.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        return answer

    def needles(self) -> list[bytes]:
        return [spelling for secret in self.planted.values() for spelling in spellings(secret.encode())]

    def sightings(self, where: str, text: str) -> list[str]:
        """Which secrets stand in a text, and where they were planted."""
        return [f"{planted} in {where}" for planted, secret in self.planted.items() if secret in text]


@pytest.fixture
def canaries(stack: dict[str, str], state: Path) -> Canaries:
    """The secrets of the stack's settings, planted when it was set up."""
    birds = Canaries()
    kept = StateDir(state).secrets()
    for name in ("master_key", "key_pepper", "db_role_secret", "signer_db_secret", "stellar_sponsor", "stellar_treasury"):
        birds.plant(f"the setting {name}", getattr(kept, name))
    for name in ("wallet_keys", "webhook_secret_keys"):
        birds.plant(f"the setting {name}", getattr(kept, name).partition(":")[2])
    for service in (*SERVICES, "gateway"):
        birds.plant(f"the password of {service}", role_password(kept.db_role_secret, role_name(stack["DATABASE_URL"], service)))
    password = urlsplit(stack["DATABASE_URL"]).password
    if password:
        birds.plant("the owner's password", password)
    return birds


async def play(market: Market, birds: Canaries) -> None:
    """A marketplace's day, and whatever a caller may send to a wrong place."""
    made = await market.make("/auth/api-keys", {"name": "canary", "scopes": ["read", "write", "support"]}, key=market.support_key)
    key = birds.plant("an API key", made["key"])
    fresh = await market.make(f"/auth/api-keys/{made['id']}/rotate", {"overlap_seconds": 3600}, key=market.support_key)
    birds.plant("a rotated API key", fresh["key"])
    for method, path in (
        ("GET", f"/orders?api_key={key}"),
        ("POST", f"/orders?api_key={key}"),
        ("GET", f"/auth/api-keys/{key}"),
        ("DELETE", f"/auth/api-keys/{key}"),
        ("GET", f"/orders/{key}"),
        ("POST", f"/orders/{key}/reserve"),
        ("GET", f"/{key}"),
        ("GET", f"/requests/{key}"),
    ):
        birds.hear(await market.call(method, path, key=key))
    for headers in ({"X-Request-ID": key}, {"Idempotency-Key": key}, {"X-API-Key": key}, {"Authorization": f"Basic {key}"}):
        birds.hear(await market.call("POST", "/users", {"external_user_id": secrets.token_hex(8)}, key=key, headers=headers))
    for wrong in (key[:-1], f"{key}x", birds.planted["the setting master_key"] + "x", birds.planted["the setting master_key"]):
        birds.hear(await market.call("GET", "/orders", key=wrong))
    await register_webhooks(market, birds)
    buyer, seller = await market.user(credit="10.00"), await market.user()
    order = await market.funded(buyer, seller)
    birds.hear(await market.post(f"/orders/{order}/resolution/dispute", {"opened_by": "BUYER"}, key=fresh["key"]))
    birds.hear(await market.call("DELETE", f"/auth/api-keys/{made['id']}", key=market.support_key))
    birds.hear(await market.call("GET", "/me", key=key))


async def register_webhooks(market: Market, birds: Canaries) -> None:
    """With a secret of the caller's, with one of ours, and in every way that goes wrong."""
    good: dict[str, Any] = {"url": "http://127.0.0.1:9/hook", "events": ["order.*"]}
    own = birds.plant("a webhook's own secret")
    shown = await market.make("/webhooks", good | {"secret": own})
    birds.plant("a signing key", shown["signing_key"])
    minted = await market.make("/webhooks", good)
    birds.plant("a webhook's secret of ours", minted["secret"])
    birds.plant("its signing key", minted["signing_key"])
    headers = {"Content-Type": "application/json"}
    for name, body in (
        ("with a bad URL", good | {"url": "nonsense", "secret": birds.plant("a refused webhook's secret")}),
        (
            "with an unknown event",
            good | {"events": ["order.*", "no.such"], "secret": birds.plant("a refused webhook's secret 2")},
        ),
        ("too long", good | {"secret": birds.plant("a secret too long", "canary" + secrets.token_hex(200))}),
        ("misspelt", good | {"sekret": birds.plant("a misspelt secret")}),
        ("in camel case", good | {"signingSecret": birds.plant("a secret in camel case")}),
        ("no text", good | {"secret": [birds.plant("a secret in a list")]}),
        ("deeper", good | {"auth": {"secret": birds.plant("a secret deeper down")}}),
    ):
        answer = birds.hear(await market.post("/webhooks", body))
        assert answer.status_code == 400, f"{name}: {answer.text}"
    broken = json.dumps(good | {"secret": birds.plant("a secret in broken JSON")})[:-1]
    birds.hear(await market.post("/webhooks", content=broken, headers=headers))
    birds.hear(await market.call("GET", f"/webhooks/{shown['id']}"))
    birds.hear(await market.call("GET", "/webhooks"))
    birds.hear(await market.call("GET", f"/webhooks/{shown['id']}/deliveries"))


async def test_no_secret_turns_up_anywhere(
    market: Market, canaries: Canaries, stack: dict[str, str], state: Path, database: asyncpg.Connection
) -> None:
    await play(market, canaries)
    await until(lambda: attempted(database))
    found = [sighting for reply in canaries.heard for sighting in canaries.sightings(f"the reply {reply[:300]}", reply)]
    found += [sighting for log in logs(state) for sighting in canaries.sightings(log.name, log.read_text(errors="replace"))]
    for name, text in await metrics(stack):
        found += canaries.sightings(name, text)
    for name, text in await dead_letters(stack):
        found += canaries.sightings(name, text)
    assert found == []
    assert await places(database, *canaries.needles()) == set()


async def test_what_is_searched_is_there_to_be_found(
    market: Market, canaries: Canaries, stack: dict[str, str], state: Path, database: asyncpg.Connection
) -> None:
    """The same search finds what is meant to be there."""
    title = canaries.plant("a title")
    buyer, seller = await market.user(), await market.user()
    canaries.hear(await market.post("/orders", {"buyer_id": buyer, "seller_id": seller, "amount": "1.00", "title": title}))
    assert canaries.sightings("the reply", canaries.heard[-1])
    assert "escrow.orders.title" in await places(database, *canaries.needles())
    assert {log.name for log in logs(state)} >= {f"{service}-1.log" for service in (*SERVICES, "gateway")}
    assert all("gateway.ready" in log.read_text() for log in logs(state) if log.name.startswith("gateway"))
    assert {name for name, text in await metrics(stack) if "python_info" in text} >= {
        "metrics of GATEWAY_1",
        "metrics of LEDGER_1",
    }


async def attempted(database: asyncpg.Connection) -> bool:
    """Whether a delivery has been tried: by then the sender has read a secret and failed."""
    return bool(await database.fetchval("SELECT count(*) FROM webhooks.attempts"))


def logs(state: Path) -> list[Path]:
    return sorted(state.glob("logs/*.log"))


async def metrics(stack: dict[str, str]) -> list[tuple[str, str]]:
    prefix = "OFFERHUB_HEALTH_PORT_"
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        return [
            (f"metrics of {name.removeprefix(prefix)}", (await client.get(f"http://127.0.0.1:{port}/metrics")).text)
            for name, port in stack.items()
            if name.startswith(prefix)
        ]


async def dead_letters(stack: dict[str, str]) -> list[tuple[str, str]]:
    topology = Topology(stack["OFFERHUB_BUS_PREFIX"])
    return [
        (f"a dead letter of {service}", encode(letter).decode(errors="replace"))
        for service in SERVICES
        for letter in await look(stack["AMQP_URL"], topology, service)
    ]
