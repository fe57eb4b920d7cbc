"""Drives a channel's slots: one small step at a time, each of which may be the last that this process does."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from libs.common.contracts.commands.payouts import ConcludeWithdrawal
from libs.common.contracts.topology import Topology
from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import derive_id
from libs.common.messaging import faults
from libs.common.messaging.batch import outgoing_command
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.use_cases import Send
from libs.common.persistence import outbox
from libs.common.persistence.outbox import Outgoing
from libs.common.persistence.rows import Connection
from services.payouts.clients.envelopes import Network, build, bump
from services.payouts.clients.horizon import Horizon, Looks
from services.payouts.clients.signer import Signer
from services.payouts.domain.envelopes import Bounds
from services.payouts.domain.slot_outcomes import Applied, Outcome, outcomes, state_of
from services.payouts.domain.slots import (
    LIFE_LEDGERS,
    LIFE_SECONDS,
    Build,
    Bump,
    Envelope,
    Find,
    Look,
    Sign,
    Slot,
    Submit,
    Told,
    behind_chain,
    next_move,
)
from services.payouts.store import channels, envelopes, slots
from services.payouts.store.channels import Lease
from services.payouts.store.slots import OpenSlot

_log = structlog.get_logger("offerhub.slots")


@dataclass(frozen=True, slots=True)
class Payer:
    """Makes one move at a time; everything it must know afterwards is in the tables before it does anything outside."""

    pool: asyncpg.Pool
    horizon: Horizon
    signer: Signer
    network: Network
    clock: Clock
    publisher: Publisher
    bid_max: int

    async def step(self, lease: Lease, looks: Looks) -> bool:
        """Do the next thing on a channel in a pass; False when there is nothing to do before the next ledger.

        Raises:
            TransientError: Horizon or the signer does not answer, or the lease is lost: nothing is decided, try again.
            SignerRefusedError: it will not sign what the rows say; a person must look.
        """
        look = await looks.at(lease.channel)
        async with self.pool.acquire() as connection:
            held = await slots.open_slot(connection, lease.channel)
            made = () if held is None else await envelopes.of_slot(connection, lease.channel, held.sequence)
        if held is None:
            return await self._assign(lease, looks)
        slot = Slot(held.sequence, _wanted(held), made)
        match next_move(slot, look, bid_max=self.bid_max):
            case Build() as move:
                await self._build(lease, held, move)
            case Bump() as move:
                await self._bump(lease, held, slot, move)
            case Sign(envelope_hash):
                await self._sign(lease, envelope_hash)
            case Submit(envelope_hash):
                await self._submit(lease, envelope_hash, look)
            case Find():
                return await self._find(lease, held, slot)
            case _:
                return False
        return True

    async def inspect(self) -> None:
        """Quarantine the channels that the chain has moved and this database has not, before anything is begun.

        Raises:
            TransientError: Horizon does not answer.
        """
        seen = await self._look_at_all(Looks(self.horizon))
        async with self.pool.acquire() as connection:
            await self._is_all_known(connection, seen)

    async def _assign(self, lease: Lease, looks: Looks) -> bool:
        """Open a slot, if the chain stands where we left it on every channel.

        What waits here may have been paid through any of them: a database from a backup, or another's hand, shows in one.
        """
        sources = await self._sources()
        seen = await self._look_at_all(looks)
        look = await looks.at(lease.channel)
        async with self.pool.acquire() as connection, connection.transaction():
            number = await channels.hold(connection, lease)
            if not await self._is_all_known(connection, seen):
                return False
            if number is None:
                number = look.sequence + 1
                await channels.begin_at(connection, lease.channel, number)
            if look.sequence < number - 1:  # this Horizon lags
                return False
            count = await slots.assign(connection, lease.channel, number, self.clock.now(), sources)
        if count:
            faults.reach("slot.assigned")
        return count > 0

    async def _look_at_all(self, looks: Looks) -> dict[str, Look]:
        """Look at all channels; before the database is read, which may only be ahead of what is seen."""
        known = sorted(await channels.known(self.pool))
        return dict(zip(known, await asyncio.gather(*map(looks.at, known)), strict=True))

    async def _is_all_known(self, connection: Connection, seen: Mapping[str, Look]) -> bool:
        """Tell whether this database knows of all that channels did on the chain, and quarantine those of which it does not."""
        is_known = True
        for standing in await channels.standings(connection):
            look = seen.get(standing.channel)
            reason = None if look is None else behind_chain(standing, look.sequence)
            if reason is not None and not standing.is_quarantined:
                await self._quarantine(connection, standing.channel, reason)
            is_known = is_known and look is not None and reason is None and not standing.is_quarantined
        return is_known

    async def _sources(self) -> dict[slots.Key, str]:
        """Look which users' own accounts hold what they are to be paid; where Horizon does not say, the treasury pays."""
        waiting = await slots.own_accounts(self.pool, self.clock.now())
        held = await asyncio.gather(*(self.horizon.holdings(each.account) for each in waiting), return_exceptions=True)
        return {
            (each.tenant, each.withdrawal_id): each.account
            for each, holdings in zip(waiting, held, strict=True)
            if isinstance(holdings, Mapping) and holdings.get(self.network.asset_name(each.currency), 0) >= each.amount
        }

    async def _build(self, lease: Lease, held: OpenSlot, move: Build) -> None:
        tip = await self.horizon.tip()
        bounds = Bounds(tip.ledger + LIFE_LEDGERS, tip.closed_at + LIFE_SECONDS)
        payments = [held.payments[place] for place in sorted(move.places)]
        built = build(self.network, lease.channel, held.sequence, held.currency, payments, bid=move.bid, bounds=bounds)
        made = Envelope(built.hash, built.hash, move.generation, move.kind, move.places, move.bid, bounds.max_ledger)
        async with self.pool.acquire() as connection, connection.transaction():
            await channels.hold(connection, lease)
            await envelopes.add(connection, lease.channel, held.sequence, made, built, bounds=bounds, now=self.clock.now())
        faults.reach("envelope.stored")

    async def _bump(self, lease: Lease, held: OpenSlot, slot: Slot, move: Bump) -> None:
        inner = next(each for each in slot.envelopes if each.hash == move.inner_hash)
        async with self.pool.acquire() as connection:
            _, signed, bounds = await envelopes.texts(connection, inner.hash)
        if signed is None:
            return
        built = bump(self.network, signed, bid=move.bid)
        made = Envelope(built.hash, inner.hash, inner.generation, inner.kind, inner.places, move.bid, bounds.max_ledger)
        async with self.pool.acquire() as connection, connection.transaction():
            await channels.hold(connection, lease)
            await envelopes.add(connection, lease.channel, held.sequence, made, built, bounds=bounds, now=self.clock.now())
        faults.reach("envelope.stored")

    async def _sign(self, lease: Lease, envelope_hash: str) -> None:
        async with self.pool.acquire() as connection:
            text, _, _ = await envelopes.texts(connection, envelope_hash)
        signed = await self.signer.sign("withdrawal", envelope_hash, text)
        faults.reach("envelope.signed")
        async with self.pool.acquire() as connection, connection.transaction():
            await channels.hold(connection, lease)
            await envelopes.keep_signed(connection, envelope_hash, signed)
        faults.reach("envelope.kept")

    async def _submit(self, lease: Lease, envelope_hash: str, look: Look) -> None:
        async with self.pool.acquire() as connection:
            _, signed, _ = await envelopes.texts(connection, envelope_hash)
        told = Told.REFUSED if signed is None else await self.horizon.submit(signed)
        faults.reach("envelope.submitted")
        if told in (Told.POOR, Told.REFUSED):
            _log.error("slot.stuck", channel=lease.channel, envelope=envelope_hash, told=told)
        async with self.pool.acquire() as connection, connection.transaction():
            await channels.hold(connection, lease)
            await envelopes.keep_told(connection, envelope_hash, told, ledger=look.ledger)

    async def _find(self, lease: Lease, held: OpenSlot, slot: Slot) -> bool:
        """Find what took the slot; until Horizon shows it nothing is decided, however long that takes."""
        ours = {each.inner_hash: each for each in slot.envelopes}
        for inner_hash in reversed(ours):
            applied = await self.horizon.applied(inner_hash)
            if applied is not None and applied.sequence == held.sequence:
                await self._close(lease, held, applied, ours[inner_hash])
                return True
        for applied in await self.horizon.newest_of(lease.channel):
            if (applied.source, applied.sequence) == (lease.channel, held.sequence):
                found = ours.get(applied.inner_hash)
                if found is not None:
                    await self._close(lease, held, applied, found)
                    return True
                await self._stop(lease, f"{applied.hash} took {held.sequence}, and is not known here")
                return False
        return False

    async def _stop(self, lease: Lease, reason: str) -> None:
        """Leave the slot as it is: a database from a backup may have forgotten that this paid what is in it."""
        async with self.pool.acquire() as connection, connection.transaction():
            await channels.hold(connection, lease)
            await self._quarantine(connection, lease.channel, reason)

    async def _close(self, lease: Lease, held: OpenSlot, applied: Applied, envelope: Envelope) -> None:
        faults.reach("slot.found")
        now = self.clock.now()
        async with self.pool.acquire() as connection, connection.transaction():
            await channels.hold(connection, lease)
            await slots.lock_items(connection, lease.channel, held.sequence)
            current = await slots.open_slot(connection, lease.channel)
            if current is None or current.sequence != held.sequence:
                return
            ended = outcomes(current.items, applied, envelope)
            state = state_of(applied, envelope)
            await slots.close(connection, lease.channel, held.sequence, state, applied, ended, now=now)
            await channels.begin_at(connection, lease.channel, held.sequence + 1)
            news = conclusions(self.publisher.topology, lease.channel, held.sequence, applied, ended)
            if news:
                await outbox.append(connection, news, now)
        faults.reach("slot.closed")
        await self._publish(news)

    async def _publish(self, news: Sequence[Outgoing]) -> None:
        """Send what was just decided; the relay sends what is not confirmed."""
        if not news:
            return
        bodies = [message.body for message in news]
        await self.publisher.send_all(bodies, exchange=news[0].exchange, routing_key=news[0].routing_key)
        async with self.pool.acquire() as connection:
            await outbox.remove(connection, [message.id for message in news])

    async def _quarantine(self, connection: Connection, channel: str, reason: str) -> None:
        _log.error("channel.quarantined", channel=channel, reason=reason)
        await channels.quarantine(connection, channel, reason)


def _wanted(held: OpenSlot) -> frozenset[int]:
    return frozenset(item.place for item in held.items if not item.is_canceled)


def conclusions(topology: Topology, channel: str, sequence: int, applied: Applied, ended: Sequence[Outcome]) -> list[Outgoing]:
    """Make what tells payouts' own command queue of the payments that have ended."""
    return [
        outgoing_command(
            topology,
            outcome.item.tenant,
            Send(
                "payouts",
                derive_id("cmd", channel, sequence, outcome.item.tenant, outcome.item.withdrawal_id),
                ConcludeWithdrawal(
                    outcome.item.withdrawal_id, outcome.ending, applied.hash, applied.ledger, outcome.code, outcome.reason
                ),
            ),
            reply_to="",
        )
        for outcome in ended
        if outcome.ending is not None
    ]
