"""The secret of a webhook endpoint whose maker brought none."""

import hashlib
import hmac

from libs.common.kernel.webhook_keys import spelled_key


def mint(pepper: bytes, command_id: str) -> str:
    """Spell the secret of the endpoint that this command makes: always the same one, so none has to be stored for a repeat.

    The key is HMAC-SHA256(pepper, command id): unguessable to whoever lacks the pepper, the database included.
    """
    return spelled_key(hmac.digest(pepper, f"webhook-secret:{command_id}".encode(), hashlib.sha256))
