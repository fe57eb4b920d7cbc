"""An authenticator app."""

import base64
import time

from services.payouts.domain.totp import STEP_SECONDS, code_at


def code_of(secret: str, *, steps: int = 0) -> str:
    """The code that the app shows now, or so many steps later."""
    now = int(time.time())  # noqa: TID251 - the signer's clock is the system's
    return code_at(base64.b32decode(secret), now // STEP_SECONDS + steps)
