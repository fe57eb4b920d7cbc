"""Works on the channels that are free: each of them by itself, so that one that is stuck keeps no other waiting."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from libs.common.kernel.errors import TransientError
from libs.common.kernel.ids import new_id
from services.payouts.clients.horizon import Looks
from services.payouts.clients.signer import SignerRefusedError
from services.payouts.handlers.pay_slots import Payer
from services.payouts.store import channels, due
from services.payouts.store.channels import Lease

LEASE: Final = timedelta(seconds=15)
ROUND_SECONDS: Final = 60.0
TROUBLE: Final = (TransientError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("offerhub.payer")


async def pay(payer: Payer, public_keys: Sequence[str], *, idle_seconds: float) -> None:
    """Pay until cancelled. Whatever goes wrong is tried again: nothing is decided but by what the chain shows."""
    owner = new_id("req")
    is_inspected = False
    try:
        while True:
            try:
                if await payer.horizon.passphrase() != payer.network.passphrase:
                    _log.error("payer.other_network")
                else:
                    await _register(payer, public_keys)
                    if not is_inspected:
                        await payer.inspect()
                        is_inspected = True
                    await _work(payer, owner, public_keys, idle_seconds)
            except TROUBLE as error:
                _log.warning("payer.trouble", error=repr(error))
            await asyncio.sleep(idle_seconds)
    finally:
        with contextlib.suppress(*TROUBLE):  # a lease that stays lapses by itself
            await channels.release(payer.pool, owner)


async def _register(payer: Payer, public_keys: Sequence[str]) -> None:
    """Make known the channels that are on the chain: what is not there is not waited for."""
    known = await channels.known(payer.pool)
    unknown = [each for each in public_keys if each not in known]
    found = [each for each in unknown if await payer.horizon.holdings(each) is not None]
    await channels.register(payer.pool, found)
    if len(found) < len(unknown):
        _log.warning("channel.missing", channels=sorted(set(unknown) - set(found)), do="python -m services.payouts prepare")


async def _work(payer: Payer, owner: str, public_keys: Sequence[str], idle_seconds: float) -> None:
    """Pay for a minute. A channel with nothing more to do rests until there is a new ledger, or a payment in it is called off."""
    rested: dict[str, int] = {}
    end = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < end:
        leases, ledger = await _choose(payer, owner, public_keys, rested)
        looks = Looks(payer.horizon)
        busy = await asyncio.gather(*(_step(payer, lease, looks) for lease in leases))
        rested.update({lease.channel: 0 if is_busy else ledger for lease, is_busy in zip(leases, busy, strict=True)})
        if not any(busy):
            await asyncio.sleep(idle_seconds)


async def _choose(payer: Payer, owner: str, public_keys: Sequence[str], rested: Mapping[str, int]) -> tuple[list[Lease], int]:
    """Take the channels with a slot open, and as many others as what waits needs; name the newest ledger."""
    now = payer.clock.now()
    todo = await due.look(payer.pool, now)
    if not todo.is_any:
        return [], 0
    until, tip = now + LEASE, await payer.horizon.tip()
    working = [each for each in public_keys if each in todo.open_channels]
    idle = [each for each in public_keys if each not in todo.open_channels]
    held = await channels.take(payer.pool, owner, working, now=now, until=until, limit=len(working))
    free = await channels.take(payer.pool, owner, idle, now=now, until=until, limit=todo.slots_wanted)
    awake = [each for each in held if each.channel in todo.hurried_channels or rested.get(each.channel, 0) < tip.ledger]
    return awake + free, tip.ledger


async def _step(payer: Payer, lease: Lease, looks: Looks) -> bool:
    try:
        return await payer.step(lease, looks)
    except SignerRefusedError as error:
        _log.error("payer.not_signed", channel=lease.channel, error=repr(error))
    except TROUBLE as error:
        _log.warning("payer.trouble", channel=lease.channel, error=repr(error))
    return False
