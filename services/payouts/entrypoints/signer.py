"""The signer put together: a process with a database role of its own, which answers over a unix socket and nowhere else."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import asyncpg
import structlog

from libs.common.kernel.clock import SystemClock
from libs.common.messaging import faults
from libs.common.observability.health import HealthServer
from libs.common.observability.logging import start_logging
from services.payouts.clients.key_provider import EnvironmentKeys
from services.payouts.clients.own_keys import OwnKeys
from services.payouts.domain.networks import ASSET_CODE
from services.payouts.domain.signing import Describe, Match, Mint, Reply, Request, Reveal
from services.payouts.entrypoints.rotation import ROLE, signer_pool
from services.payouts.entrypoints.signer_socket import listening
from services.payouts.handlers.mint_keys import MintKeys
from services.payouts.handlers.sign_intent import SignIntent
from services.payouts.handlers.tell_factors import TellFactors
from services.payouts.settings import SignerSettings
from services.payouts.store.signable import Place

_log = structlog.get_logger("offerhub.signer")


@contextlib.asynccontextmanager
async def signing(settings: SignerSettings) -> AsyncIterator[asyncpg.Pool]:
    """Answer at the socket for the length of a block.

    Raises:
        ValueError: a key is malformed.
    """
    keys = EnvironmentKeys.parse(settings.wallet_keys.get_secret_value(), entropy=os.urandom)
    own = OwnKeys.derive(
        sponsor=settings.sponsor_secret.get_secret_value(),
        treasury=settings.treasury_secret.get_secret_value(),
        channels=settings.channels,
        passphrase=settings.network_passphrase,
    )
    place = Place(settings.network, f"{ASSET_CODE}:{settings.usdc_issuer}", own.accounts)
    async with signer_pool(settings) as pool:
        sign = SignIntent(pool, keys, own, place, settings.network_passphrase, SystemClock())
        mint = MintKeys(pool, keys, keys.legacy, settings.network, os.urandom, SystemClock())

        factors = TellFactors(pool, keys, SystemClock())

        async def answer(asked: Request) -> Reply:
            if isinstance(asked, Describe):
                return own.accounts
            if isinstance(asked, Reveal):
                return await factors.reveal(asked)
            if isinstance(asked, Match):
                return await factors.match(asked)
            return await (mint(asked) if isinstance(asked, Mint) else sign(asked))

        users = {os.getuid(), *settings.peers}
        async with listening(settings.signer_socket, answer, users=users):
            yield pool


async def serve(settings: SignerSettings) -> None:
    """Run the signer until SIGTERM or SIGINT."""
    start_logging(service=ROLE, instance=settings.instance, level=settings.log_level)
    faults.arm_from(settings.fault)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with signing(settings) as pool:

        async def probe() -> dict[str, str]:
            try:
                async with asyncio.timeout(2):
                    await pool.fetchval("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                return {"database": repr(error)}
            return {"database": "ok"}

        health = HealthServer(probe, host=settings.health_host, port=settings.health_port, port_file=settings.health_port_file)
        await health.start()
        _log.info("signer.ready")
        await stop.wait()
        await health.stop()
