"""Has the signer take over secrets that still stand beside their wallets, and drops each once its new one is known to be kept."""

import asyncio
from typing import Final

import asyncpg
import structlog

from libs.common.kernel.errors import check
from libs.common.messaging import faults
from libs.common.messaging.worker import Loop, Parts
from services.payouts.clients.signer import SignerClient, SignerUnavailableError
from services.payouts.domain.signing import WalletName
from services.payouts.store import legacy

INTERVAL_SECONDS: Final = 60.0
"""A process of the version before this one may still write some, until it is replaced."""
BATCH_ROWS: Final = 200
_log = structlog.get_logger("offerhub.mover")


def moving(signer: SignerClient, network: str) -> Loop:
    """Make the loop that looks once a minute."""

    async def run(parts: Parts) -> None:
        while True:
            try:
                while await move_once(parts.pool, signer, network) == BATCH_ROWS:
                    pass
            except (OSError, SignerUnavailableError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("mover.trouble", error=repr(error))
            await asyncio.sleep(INTERVAL_SECONDS)

    return run


async def move_once(pool: asyncpg.Pool, signer: SignerClient, network: str) -> int:
    """Move one batch, and return how many there were.

    Raises:
        InvariantViolationError: the signer keeps another key for a wallet than the one it shows; nothing is dropped.
    """
    wallets = await legacy.next_wallets(pool, network, limit=BATCH_ROWS)
    if not wallets:
        return 0
    addresses = await signer.mint(network, tuple(WalletName(tenant, wallet_id) for tenant, wallet_id, _ in wallets))
    for (_, wallet_id, shown), kept in zip(wallets, addresses, strict=True):
        check(shown == kept, f"{wallet_id} shows {shown}, the signer keeps {kept}")
    faults.reach("secrets.moved")
    await legacy.empty(pool, [(tenant, wallet_id) for tenant, wallet_id, _ in wallets])
    return len(wallets)
