"""What a gateway does beside answering, for as long as it runs."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from libs.common.kernel.errors import TransientError
from libs.common.persistence.gathering import TROUBLE
from services.gateway.store.key_uses import WRITE_SECONDS, KeyUses

_log = structlog.get_logger("offerhub.gateway")


async def again(chore: Callable[[], Awaitable[int]], *, full: int, pause: float) -> None:
    """Do a chore for ever: at once again while it finds as much as it can do, else after a pause in seconds."""
    while True:
        try:
            while await chore() >= full:
                pass
        except (*TROUBLE, TransientError) as error:
            _log.warning("chore.failed", chore=getattr(chore, "__qualname__", repr(chore)), error=repr(error))
        await asyncio.sleep(pause)


async def write_uses(uses: KeyUses) -> None:
    """Write down when keys were last used, for ever; what can't be written now is written the next time."""
    while True:
        await asyncio.sleep(WRITE_SECONDS)
        try:
            await uses.write()
        except TROUBLE as error:
            _log.warning("key_uses.not_written", error=repr(error))


async def endless(loop: Awaitable[None]) -> None:
    """Run what should never end, and say so when it does."""
    try:
        await loop
    except BaseException as error:
        if not isinstance(error, asyncio.CancelledError):
            _log.error("loop.died", error=repr(error))
        raise
