"""`python -m services.payouts rotate-keys`: run with the signer's environment, while the signer runs."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from libs.common.messaging import faults
from libs.common.persistence.pool import open_pool, role_url
from services.payouts.clients.key_provider import EnvironmentKeys
from services.payouts.handlers.rotate_keys import RotateKeys
from services.payouts.settings import SignerSettings

ROLE: Final = "signer"


async def rotate(settings: SignerSettings) -> int:
    """Wrap all keys under the first of the wallet keys; return how many were wrapped anew."""
    keys = EnvironmentKeys.parse(settings.wallet_keys.get_secret_value(), entropy=os.urandom)
    faults.arm_from(settings.fault)
    async with signer_pool(settings) as pool:
        return await RotateKeys(pool, keys).run()


@contextlib.asynccontextmanager
async def signer_pool(settings: SignerSettings) -> AsyncIterator[asyncpg.Pool]:
    """Connect as the signer's own role."""
    owner, secret = settings.database_url.get_secret_value(), settings.signer_db_secret.get_secret_value()
    url = role_url(owner, service=ROLE, secret=secret) if secret else owner
    pool = await open_pool(url, schema="payouts", size=settings.pool_size, application="offerhub-signer")
    try:
        yield pool
    finally:
        await pool.close()
