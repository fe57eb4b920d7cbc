"""Signatures of a delivery: the documented header, and the Standard Webhooks ones (standardwebhooks.com) side by side."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from libs.common.kernel.webhook_keys import MARK, standard_key

SECRET_LENGTHS: Final = range(8, 257)
CHALLENGE_HEADER: Final = "X-OfferHub-Challenge"


def secret_problem(secret: str) -> str | None:
    """Say why a text can't be a secret, or None when it can."""
    if len(secret) not in SECRET_LENGTHS:
        return f"must have {SECRET_LENGTHS.start} to {SECRET_LENGTHS.stop - 1} characters"
    try:
        key = standard_key(secret)
    except ValueError:
        return f"begins with {MARK} but is not base64 after it"
    return None if key else f"has no key after {MARK}"


def standard_signature(secret: str, *, event_id: str, timestamp: int, body: bytes) -> str:
    """Sign `id.timestamp.body` (HMAC-SHA256) for the `webhook-signature` header."""
    message = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(standard_key(secret), message, hashlib.sha256)).decode()


def body_signature(secret: str, body: bytes) -> str:
    """Sign the body alone for `X-OfferHub-Signature`; the key is the secret's text as it was given."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def delivery_headers(
    secrets: Sequence[str], *, event_id: str, event_type: str, delivery_id: str, attempt: int, timestamp: int, body: bytes
) -> dict[str, str]:
    """Build every header of one attempt; `timestamp` is Unix seconds of this attempt, not of the event.

    Every secret signs in `webhook-signature`; the documented header has room for one signature, that of the first.
    """
    signatures = (standard_signature(secret, event_id=event_id, timestamp=timestamp, body=body) for secret in secrets)
    plain = plain_headers(event_id=event_id, event_type=event_type, delivery_id=delivery_id, attempt=attempt, timestamp=timestamp)
    return plain | {"webhook-signature": " ".join(signatures), "X-OfferHub-Signature": body_signature(secrets[0], body)}


def challenge_of(secret: str, delivery_id: str) -> str:
    """Make what a receiver repeats in its answer to show that it wants our deliveries: nobody guesses it without the secret."""
    return hmac.digest(standard_key(secret), f"challenge.{delivery_id}".encode(), hashlib.sha256).hex()


def plain_headers(*, event_id: str, event_type: str, delivery_id: str, attempt: int, timestamp: int) -> dict[str, str]:
    """Build the headers of one attempt that take no secret."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "OfferHub-Webhooks/1",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "X-OfferHub-Event": event_type,
        "X-OfferHub-Delivery": delivery_id,
        "X-OfferHub-Attempt": str(attempt),
    }
