"""Takes into the books what a channel has paid and the database has forgotten, and uses the channel again: all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from libs.common.contracts.topology import Topology
from libs.common.kernel.clock import Clock
from libs.common.persistence import outbox
from libs.common.persistence.outbox import Outgoing
from libs.common.persistence.rows import Connection
from services.payouts.clients.envelopes import Network
from services.payouts.clients.horizon import Horizon
from services.payouts.clients.transactions import UnreadableError, describe_signed
from services.payouts.domain.adoption import UnknownPaymentError, adopted, paid_by
from services.payouts.domain.envelopes import Bounds, Built
from services.payouts.domain.slot_outcomes import Applied, Item, outcomes, state_of
from services.payouts.domain.slots import BASE_BID, Envelope, Kind
from services.payouts.domain.transactions import Transaction
from services.payouts.handlers.pay_slots import conclusions
from services.payouts.store import channels, envelopes, forgotten, slots


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that took one of the channel's numbers."""

    applied: Applied
    does: Transaction
    xdr: str


class RefusedError(Exception):
    """The quarantine stays; the message says which transaction nobody here knows, or what Horizon did not show."""


@dataclass(frozen=True, slots=True)
class LiftQuarantine:
    """Reads a channel's transactions since the database's last, and accounts for each."""

    pool: asyncpg.Pool
    horizon: Horizon
    network: Network
    topology: Topology
    clock: Clock

    async def __call__(self, channel: str, *, is_only_told: bool) -> list[str]:
        """Do it, unless it is only to be told, and return a line for each transaction.

        Raises:
            RefusedError: one of them is nobody's here: nothing was changed.
            LookupError: the channel is not quarantined.
            TransientError: Horizon does not answer.
        """
        async with self.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                lines = await self._account(connection, channel)
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if is_only_told else transaction.commit())
        return lines

    async def _account(self, connection: Connection, channel: str) -> list[str]:
        begin = await channels.lock_quarantined(connection, channel)
        look = await self.horizon.look(channel)
        sent = await self._sent(channel, begin)
        numbers = [each.applied.sequence for each in sent]
        first = begin or (numbers[0] if numbers else look.sequence + 1)
        if numbers != list(range(first, look.sequence + 1)):
            raise RefusedError(f"the channel is at {look.sequence}, and Horizon shows {numbers} since {first}")
        lines, news = list[str](), list[Outgoing]()
        for each in sent:
            told, concluded = await self._one(connection, channel, each)
            lines.append(f"{each.applied.sequence} {each.applied.hash} ledger {each.applied.ledger}: {told}")
            news += concluded
        await channels.lift(connection, channel, look.sequence + 1)
        if news:
            await outbox.append(connection, news, self.clock.now())
        return lines

    async def _sent(self, channel: str, since: int) -> list[Sent]:
        found = await self.horizon.sent_by(channel, since=since)
        try:
            described = [(applied, xdr, *describe_signed(xdr, self.network.passphrase)) for applied, xdr in found]
        except UnreadableError as error:
            raise RefusedError(str(error)) from error
        for applied, _, inner_hash, _ in described:
            if inner_hash != applied.inner_hash:
                raise RefusedError(f"{applied.hash} is shown with the envelope of {inner_hash}")
        return [Sent(applied, does, xdr) for applied, xdr, _, does in described]

    async def _one(self, connection: Connection, channel: str, sent: Sent) -> tuple[str, list[Outgoing]]:
        try:
            held = await slots.open_slot(connection, channel)
            if held is not None and held.sequence == sent.applied.sequence:
                return await self._close(connection, channel, sent, held.items, "its slot is closed")
            if not sent.applied.is_successful or not paid_by(sent.does.operations):
                return "it paid nothing", []
            return await self._adopt(connection, channel, sent)
        except UnknownPaymentError as error:
            raise RefusedError(f"{sent.applied.hash}: {error}, and no withdrawal here asks for that") from error

    async def _adopt(self, connection: Connection, channel: str, sent: Sent) -> tuple[str, list[Outgoing]]:
        """Put what it paid into a slot of its number, as if that had been known."""
        waiting = await forgotten.waiting(connection)
        paid = adopted(sent.does, waiting, self.network.treasury, self._assets())
        currencies = {each.currency for each in paid}
        if len(currencies) > 1:
            raise UnknownPaymentError(f"it pays {sorted(currencies)}")
        sources = [each.source for each in paid_by(sent.does.operations)]
        paying = {
            (each.tenant, each.withdrawal_id): None if source == self.network.treasury else source
            for each, source in zip(paid, sources, strict=True)
        }
        await slots.put(connection, channel, sent.applied.sequence, currencies.pop(), paying, self.clock.now())
        items = [Item(place, each.tenant, each.withdrawal_id, is_canceled=False) for place, each in enumerate(paid)]
        return await self._close(connection, channel, sent, items, "adopted")

    async def _close(
        self, connection: Connection, channel: str, sent: Sent, items: Sequence[Item], told: str
    ) -> tuple[str, list[Outgoing]]:
        applied, now = sent.applied, self.clock.now()
        known = await envelopes.of_slot(connection, channel, applied.sequence)
        envelope = next((each for each in known if each.inner_hash == applied.inner_hash), None)
        if envelope is None:
            envelope = await self._remember(connection, channel, sent, len(known))
        ended = outcomes(items, applied, envelope)
        await slots.close(connection, channel, applied.sequence, state_of(applied, envelope), applied, ended, now=now)
        names = ", ".join(f"{each.item.withdrawal_id} {each.ending or 'waits again'}" for each in ended)
        return f"{told}: {names}", conclusions(self.topology, channel, applied.sequence, applied, ended)

    async def _remember(self, connection: Connection, channel: str, sent: Sent, generation: int) -> Envelope:
        """Store the transaction as one that was made for the slot."""
        applied, does = sent.applied, sent.does
        candidates = await forgotten.in_slot(connection, channel, applied.sequence)
        paid = adopted(does, candidates, self.network.treasury, self._assets())
        places = frozenset(candidates.index(each) for each in paid)
        kind: Kind = "payment" if places else "tombstone"
        made = Envelope(applied.inner_hash, applied.inner_hash, generation + 1, kind, places, BASE_BID, does.max_ledger)
        built, bounds = Built(applied.inner_hash, sent.xdr, does.fee), Bounds(does.max_ledger, does.max_time)
        await envelopes.add(connection, channel, applied.sequence, made, built, bounds=bounds, now=self.clock.now())
        return made

    def _assets(self) -> dict[str, str]:
        return {name: self.network.asset_name(name) for name in ("USD", "XLM")}
