"""The evidence of a delivery proves it to whoever has the secret, without anything else of ours."""

import base64
import hashlib
import hmac

import asyncpg
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from libs.common.contracts.commands.webhooks import RotateSecret
from libs.common.contracts.queries.webhooks import GetEvidence
from libs.common.contracts.replies.webhooks import DeliveryEvidence
from libs.common.kernel.ids import Tenant, new_id
from libs.common.kernel.webhook_keys import signing_key
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.dumps import spellings
from tests.support.events import as_dict, event, publish
from tests.support.receiver import Receiver, saying
from tests.support.webhooks import SECRET, delivery_id, logged, register
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
NEXT_SECRET = "the-secret-that-comes-next"


async def _evidence(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> tuple[DeliveryEvidence, bytes]:
    """Have an event delivered under two secrets, after a failure; return its evidence as it came over the bus, too."""
    patient = config.model_copy(update={"retry_seconds": (0.01,) * 50})
    receiver.answer = saying(503)
    async with running(build(patient), patient) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def has_failed() -> bool:
            return bool(receiver.received)

        await until(has_failed)
        rotate = RotateSecret(endpoint.id, NEXT_SECRET, overlap_seconds=600)
        await worker.rpc.command("webhooks", rotate, tenant=tenant, command_id=new_id("cmd"))

        async def both_have_signed() -> bool:
            return len(receiver.received[-1].headers["webhook-signature"].split()) == 2

        await until(both_have_signed)
        receiver.answer = saying(204)
        delivery = await delivery_id(owner, tenant, endpoint.id)

        async def bundle() -> bytes | None:
            reply = await worker.rpc.query("webhooks", GetEvidence(endpoint.id, delivery), tenant=tenant)
            found = msgspec.json.decode(reply.result, type=DeliveryEvidence)
            return bytes(reply.result) if found.delivery.state == "DELIVERED" else None

        told: bytes = await until(bundle)
    return msgspec.json.decode(told, type=DeliveryEvidence), told


async def test_whoever_has_the_secret_verifies_each_attempt_from_the_bundle_alone(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    bundle, told = await _evidence(config, owner, tenant, receiver)
    body = base64.b64decode(bundle.body_base64)
    assert hashlib.sha256(body).hexdigest() == bundle.body_sha256
    secrets = {1: SECRET, 2: NEXT_SECRET}
    assert {item.signed_with for item in bundle.attempts} == {(1,), (2, 1)}
    for item in bundle.attempts:
        for number, secret in secrets.items():
            verifier = Webhook(signing_key(secret))
            if number in item.signed_with:
                assert verifier.verify(body, item.headers) == as_dict(body)
                with pytest.raises(WebhookVerificationError):
                    verifier.verify(body.replace(b"1", b"2"), item.headers)
            else:
                with pytest.raises(WebhookVerificationError):
                    verifier.verify(body, item.headers)
        signed = f"{item.headers['webhook-id']}.{item.headers['webhook-timestamp']}.".encode() + body
        by_hand = [hmac.digest(secrets[number].encode(), signed, "sha256") for number in item.signed_with]
        expected = " ".join("v1," + base64.b64encode(digest).decode() for digest in by_hand)
        assert item.headers["webhook-signature"] == expected
    for secret in secrets.values():
        assert not [form for form in spellings(secret.encode()) if form in told]


async def test_it_tells_what_the_receiver_got(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    bundle, _ = await _evidence(config, owner, tenant, receiver)
    [row] = await logged(owner, tenant)
    place = bundle.event
    assert (place.id, place.position, place.sequence, place.aggregate) == (row["id"], row["position"], 1, "order:a")
    assert [item.attempt.number for item in bundle.attempts] == list(range(1, len(bundle.attempts) + 1))
    assert [item.attempt.status for item in bundle.attempts] == [503] * (len(bundle.attempts) - 1) + [204]
    assert len(receiver.received) == len(bundle.attempts)
    secrets = {1: SECRET, 2: NEXT_SECRET}
    for item, request in zip(bundle.attempts, receiver.received, strict=True):
        assert base64.b64decode(bundle.body_base64) == request.body
        assert {name.lower(): value for name, value in item.headers.items()}.items() <= request.headers.items()
        legacy = hmac.new(secrets[item.signed_with[0]].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-offerhub-signature"] == f"sha256={legacy}"
    assert [(item.number, item.signs_until is None) for item in bundle.secrets] == [(1, False), (2, True)]


async def test_what_is_not_there_has_no_evidence(config: WebhooksSettings, tenant: Tenant) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, "http://127.0.0.1:9/")
        for query, code in (
            (GetEvidence(endpoint.id, new_id("whd")), "DELIVERY_NOT_FOUND"),
            (GetEvidence(new_id("wh"), new_id("whd")), "WEBHOOK_NOT_FOUND"),
        ):
            reply = await worker.rpc.query("webhooks", query, tenant=tenant)
            assert reply.refusal is not None
            assert reply.refusal.code == code
