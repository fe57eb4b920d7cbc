"""Deliveries carry two signatures, and the published verifier accepts ours."""

import hashlib
import hmac

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from libs.common.kernel.clock import SystemClock
from libs.common.kernel.webhook_keys import signing_key, spelled_key
from services.webhooks.domain.signing import delivery_headers, secret_problem

BODY = '{"id":"evt_1","data":{"name":"Zoë"}}'.encode()
SECRETS = ["your-webhook-secret", spelled_key(bytes(range(32))), "pässwörd-😀"]


def _headers(secret: str, body: bytes = BODY) -> dict[str, str]:
    now = int(SystemClock().now().timestamp())
    return delivery_headers(
        [secret], event_id="evt_1", event_type="a.b", delivery_id="whd_1", attempt=3, timestamp=now, body=body
    )


@pytest.mark.parametrize("secret", SECRETS)
def test_the_published_verifier_accepts_a_delivery(secret: str) -> None:
    assert Webhook(signing_key(secret)).verify(BODY, _headers(secret)) == {"id": "evt_1", "data": {"name": "Zoë"}}


@pytest.mark.parametrize("secret", SECRETS)
def test_the_published_verifier_refuses_a_changed_body(secret: str) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(signing_key(secret)).verify(BODY + b" ", _headers(secret))


def test_the_documented_signature_is_over_the_body_with_the_secret_as_it_was_given() -> None:
    for secret in SECRETS:
        expected = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
        assert _headers(secret)["X-OfferHub-Signature"] == f"sha256={expected}"


def test_a_delivery_says_what_it_is() -> None:
    headers = _headers(SECRETS[0])
    assert headers["webhook-id"] == "evt_1"
    assert (headers["X-OfferHub-Event"], headers["X-OfferHub-Delivery"], headers["X-OfferHub-Attempt"]) == ("a.b", "whd_1", "3")
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "OfferHub-Webhooks/1")


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("12345678", None),
        ("x" * 256, None),
        ("1234567", "must have 8 to 256 characters"),
        ("x" * 257, "must have 8 to 256 characters"),
        ("whsec_AAAA", None),
        ("whsec_!!!!", "begins with whsec_ but is not base64 after it"),
        ("whsec_AAA", "begins with whsec_ but is not base64 after it"),
        ("whsec_clé=", "begins with whsec_ but is not base64 after it"),
        ("whsec_==", "begins with whsec_ but is not base64 after it"),
    ],
)
def test_a_secret_is_long_enough_and_readable(secret: str, problem: str | None) -> None:
    assert secret_problem(secret) == problem
