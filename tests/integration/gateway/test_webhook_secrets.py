"""An endpoint's secret is known to its maker, and to the webhooks service under seal; to nobody who reads the database."""

import base64
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aio_pika
import asyncpg
import httpx
import msgspec
import pytest

from libs.common.contracts.topology import Topology
from libs.common.kernel.webhook_keys import signing_key, spelled_key, standard_key
from libs.common.persistence.sealing import KeyRing
from services.gateway.handlers.register_webhook import RegisteredEndpoint, RotatedSecret
from services.gateway.settings import GatewaySettings
from services.webhooks.app import build
from tests.support.dumps import places, spellings
from tests.support.gateway import Served, fields_of, let_go, serving
from tests.support.webhooks import SECRET_KEYS, webhooks_settings
from tests.support.workers import running

pytestmark = pytest.mark.integration
TENANT = "default:live"
GUIDE = {
    "url": "https://your-app.com/webhooks",
    "events": ["withdrawal.completed", "withdrawal.failed"],
    "secret": "your-webhook-secret",
}
WITHOUT: dict[str, Any] = {"url": "https://your-app.com/webhooks", "events": ["withdrawal.*"]}
BODIES = {
    "made-by-us": WITHOUT,
    "text": WITHOUT | {"secret": "a-secret-of-the-caller"},
    "marked": WITHOUT | {"secret": spelled_key(bytes(range(200, 232)))},
}


@pytest.fixture(autouse=True)
async def _webhooks(served: Served, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[None]:
    """Run the real service behind the gateway; it accepts https only, as in production."""
    settings = webhooks_settings(postgres_url, amqp_url, bus_prefix, allow_private=False)
    async with running(build(settings), settings):
        yield


async def register(served: Served, body: dict[str, Any], key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await served.client.post("/webhooks", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


async def test_the_registration_of_the_guide_is_accepted_and_answered_with_its_signing_key(served: Served) -> None:
    made = (await register(served, GUIDE)).json()["data"]
    assert (made["url"], made["events"], made["active"]) == (GUIDE["url"], GUIDE["events"], True)
    assert made["signing_key"] == "whsec_" + base64.b64encode(b"your-webhook-secret").decode()
    assert "secret" not in made


async def test_a_secret_we_make_is_shown_when_it_is_made_and_never_again(served: Served) -> None:
    answer = await register(served, WITHOUT)
    made = answer.json()["data"]
    assert made["secret"] == made["signing_key"]
    assert len(standard_key(made["secret"])) == 32
    msgspec.convert(made, RegisteredEndpoint)
    shown = {name: value for name, value in made.items() if name not in ("secret", "signing_key")}
    assert (await served.client.get(f"/webhooks/{made['id']}")).json()["data"] == shown
    assert (await served.client.get("/webhooks")).json()["data"][0] == shown


@pytest.mark.parametrize("kind", BODIES)
async def test_a_repeat_gets_the_same_bytes_from_any_gateway(
    served: Served, config: GatewaySettings, owner: asyncpg.Connection, kind: str
) -> None:
    body, key = BODIES[kind], f"repeat-{kind}"
    first = await register(served, body, key)
    await let_go(owner, key)
    async with serving(config) as other:
        await other.gateway.link.wait_up(10)
        again = [await register(gateway, body, key) for gateway in (served, other)]
    assert [answer.content for answer in again] == [first.content] * 2
    assert ("secret" in first.json()["data"]) == ("secret" not in body)
    rows = await owner.fetch("SELECT state, body FROM gateway.requests WHERE key = $1", key)
    assert [tuple(row) for row in rows] == [("completed", None)]


@pytest.mark.parametrize("kind", BODIES)
async def test_the_secret_is_in_the_database_sealed_and_not_otherwise(
    served: Served, owner: asyncpg.Connection, kind: str
) -> None:
    body, key = BODIES[kind], f"sealed-{kind}"
    made = (await register(served, body, key)).json()["data"]
    await let_go(owner, key)
    secret: str = made.get("secret") or str(body["secret"])
    assert made["signing_key"] == signing_key(secret)
    sealed = await owner.fetchval("SELECT sealed FROM webhooks.secrets WHERE endpoint_id = $1", made["id"])
    assert KeyRing.parse(SECRET_KEYS, entropy=bytes).open(sealed, TENANT, made["id"]) == secret.encode()

    assert {"webhooks.endpoints.id", "webhooks.inbox.reply"} <= await places(owner, made["id"].encode())
    needles = {*spellings(secret.encode()), *spellings(standard_key(secret)), *spellings(made["signing_key"].encode())}
    assert await places(owner, *needles) == set()


@pytest.mark.parametrize("kind", BODIES)
async def test_the_secret_is_on_the_bus_in_a_letter_and_not_otherwise(served: Served, config: GatewaySettings, kind: str) -> None:
    """Everything that goes to the webhooks service is copied into a queue of ours, as a tap on the broker would."""
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    async with await aio_pika.connect(config.amqp_url.get_secret_value()) as connection:
        channel = await connection.channel()
        tap = await channel.declare_queue(exclusive=True)
        for exchange in (topology.commands.name, topology.queries.name):
            await tap.bind(exchange, "webhooks")
        made = (await register(served, BODIES[kind])).json()["data"]
        rotated = await served.client.post(f"/webhooks/{made['id']}/rotate-secret", json={"secret": "the-next-of-the-caller"})
        assert rotated.status_code == 201, rotated.text
        seen = b""
        while (message := await tap.get(fail=False)) is not None:
            seen += message.body
    assert made["id"].encode() in seen
    assert b"CreateEndpoint" in seen
    assert b"RotateSecret" in seen
    secrets = (made.get("secret") or str(BODIES[kind].get("secret")), "the-next-of-the-caller")
    for secret in secrets:
        needles = {*spellings(secret.encode()), *spellings(standard_key(secret)), signing_key(secret).encode()}
        assert not [needle for needle in needles if needle in seen]


@pytest.mark.parametrize("body", [{}, {"secret": "the-next-secret-of-the-caller"}], ids=["made-by-us", "text"])
async def test_a_rotated_secret_is_shown_once_sealed_and_the_same_on_a_repeat(
    served: Served, owner: asyncpg.Connection, body: dict[str, Any]
) -> None:
    made, key = (await register(served, WITHOUT)).json()["data"], f"rotate-{len(body)}"
    ask = partial(served.client.post, f"/webhooks/{made['id']}/rotate-secret", json=body, headers={"Idempotency-Key": key})
    first = await ask()
    assert first.status_code == 201, first.text
    await let_go(owner, key)
    assert (await ask()).content == first.content
    shown = first.json()["data"]
    msgspec.convert(shown, RotatedSecret)
    secret: str = shown.get("secret") or body["secret"]
    assert shown["signing_key"] == signing_key(secret)
    rows = await owner.fetch("SELECT sealed FROM webhooks.secrets WHERE endpoint_id = $1 ORDER BY number", made["id"])
    opened = [KeyRing.parse(SECRET_KEYS, entropy=bytes).open(row[0], TENANT, made["id"]).decode() for row in rows]
    assert opened == [made["secret"], secret]
    assert await places(owner, *spellings(secret.encode()), *spellings(shown["signing_key"].encode())) == set()


@pytest.mark.parametrize("secret", ["short", "whsec_not base64", "whsec_clé="])
async def test_what_can_not_be_a_secret_is_refused_by_name(served: Served, secret: str) -> None:
    answer = await served.client.post("/webhooks", json=WITHOUT | {"secret": secret})
    assert fields_of(answer) == ["secret"]
