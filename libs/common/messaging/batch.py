"""One write transaction: sort out what was handled before, load the rows, decide each message, write everything, commit."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from libs.common.contracts.envelope import Envelope, Event, encode, raw, reply_body
from libs.common.contracts.topology import Topology, family
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, derive_id, new_id
from libs.common.messaging import faults
from libs.common.messaging.use_cases import Announce, Context, Decision, Send, UseCase
from libs.common.persistence import inbox, outbox
from libs.common.persistence.inbox import ANSWERED, PENDING, Entry, Outcome
from libs.common.persistence.outbox import Outgoing
from libs.common.persistence.state import AnyTable, State
from libs.common.persistence.writes import Connection, Copy, Write, write_all


class Work(msgspec.Struct, frozen=True, gc=False):
    """An envelope whose body was read and whose use case is known."""

    envelope: Envelope
    message: Any
    use_case: UseCase[Any]

    @property
    def key(self) -> inbox.MessageKey:
        """The message's key in the inbox."""
        return self.envelope.tenant, self.envelope.id


class Decided(msgspec.Struct, frozen=True, gc=False):
    """A message with what was decided on it, in arrival order: what a `seal` sees."""

    work: Work
    decision: Decision


Seal = Callable[[Connection, str, Sequence[Decided]], Awaitable[None]]
"""Called last before COMMIT with the batch id; the ledger chains its batches here."""

Committed = Callable[[Sequence[Decided]], None]
"""Told right after COMMIT what was decided; webhooks wakes its dispatcher here."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a service's write path works on: its tables in lock order, what seals a batch, and who hears of it."""

    tables: tuple[AnyTable, ...]
    seal: Seal | None = None
    committed: Committed | None = None


@dataclass(slots=True)
class Effects:
    """What a committed batch still has to tell the world: reply envelopes by their queue, and the outbox."""

    decided: list[Decided] = field(default_factory=list)
    replies: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    outgoing: list[Outgoing] = field(default_factory=list)
    handled: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many messages of each type ended in which way."""


@dataclass(slots=True)
class Batch:
    """One run of a write transaction over some works; thrown away and made anew when it has to run again."""

    schema: Schema
    topology: Topology
    own_queue: str
    now: datetime
    works: Sequence[Work]
    looks: bool
    """Whether the inbox is asked first. Where it is not, every message counts as new until it is entered."""
    batch_id: str = field(default_factory=lambda: new_id("bat"))

    async def run(self, connection: Connection) -> Effects:
        """Do everything between BEGIN and COMMIT; the caller owns the transaction."""
        effects = Effects()
        fresh, again = await self._sort_out(connection)
        changes: Iterable[Write | Copy] = ()
        if fresh:
            effects.decided, changes = await self._decide(connection, fresh)
        await self._finish(connection, changes, effects)
        if again:
            await self._answer_again(connection, again, effects)
        faults.reach("write.before_commit")
        return effects

    async def _sort_out(self, connection: Connection) -> tuple[list[Work], list[Work]]:
        """Tell new messages from those seen before; one that another process is handling right now seems new, until `enter`."""
        first: dict[inbox.MessageKey, Work] = {}
        again: list[Work] = []
        for work in self.works:
            if work.key in first:
                again.append(work)
            else:
                first[work.key] = work
        known = await inbox.known(connection, first) if self.looks else set()
        again.extend(first[key] for key in known)
        return [work for key, work in first.items() if key not in known], again

    async def _decide(self, connection: Connection, fresh: Sequence[Work]) -> tuple[list[Decided], Iterator[Write | Copy]]:
        contexts = [self._context(work.envelope) for work in fresh]
        needs = [work.use_case.needs(work.message, context) for work, context in zip(fresh, contexts, strict=True)]
        state = State()
        await state.load(connection, needs, self.schema.tables)
        decided: list[Decided] = []
        for work, context in zip(fresh, contexts, strict=True):
            decision = work.use_case.decide(state, work.message, context)
            for table, row in decision.rows:
                state.put(table, row)
            for table, key in decision.removed:
                state.remove(table, key)
            decided.append(Decided(work, decision))
        return decided, state.writes(self.schema.tables)

    def _context(self, envelope: Envelope) -> Context:
        return Context(envelope.tenant, envelope.id, envelope.reference, self.now, self.batch_id, new_id)

    async def _finish(self, connection: Connection, changes: Iterable[Write | Copy], effects: Effects) -> None:
        outcomes: dict[inbox.MessageKey, Outcome] = {}
        for item in effects.decided:
            envelope, decision = item.work.envelope, item.decision
            for outcome in _outcomes(envelope, decision):
                outcomes[outcome.tenant, outcome.message_id] = outcome
            effects.outgoing.extend(self._event(envelope, event) for event in decision.events)
            effects.outgoing.extend(self._command(envelope, command) for command in decision.commands)
            effects.handled[envelope.type, _label(decision)] += 1
        faults.reach("write.before_claim")
        await write_all(connection, [*changes, *self._records(effects, outcomes)])
        faults.reach("write.after_claim")
        for key, (address, reference) in (await self._addresses(connection, effects.decided, outcomes)).items():
            reply = outcomes[key].reply
            if reply is not None and address:
                effects.replies[address].append(_reply(key, reference, reply))
        if self.schema.seal is not None and effects.decided:
            await self.schema.seal(connection, self.batch_id, effects.decided)

    def _records(self, effects: Effects, outcomes: Mapping[inbox.MessageKey, Outcome]) -> Iterator[Write | Copy]:
        """Describe what is written down of each message: what became of it, and what it sends."""
        if effects.decided:
            yield inbox.entering([_entry(item.work.envelope, outcomes) for item in effects.decided], self.now)
        if effects.outgoing:
            yield outbox.appending(effects.outgoing, self.now)

    async def _addresses(
        self, connection: Connection, decided: Sequence[Decided], outcomes: Mapping[inbox.MessageKey, Outcome]
    ) -> dict[inbox.MessageKey, tuple[str, str]]:
        """Return (reply address, reference) of the messages that have an outcome now, earlier batches' included."""
        here = {item.work.key: (item.work.envelope.reply_to, item.work.envelope.reference) for item in decided}
        earlier = [outcome for key, outcome in outcomes.items() if key not in here]
        return here | await inbox.answer(connection, earlier) if earlier else here

    async def _answer_again(self, connection: Connection, again: Sequence[Work], effects: Effects) -> None:
        met = await inbox.meet_again(connection, {work.key: work.envelope.reply_to for work in again})
        for work in again:
            state, reply = met[work.key]
            effects.handled[work.envelope.type, "duplicate"] += 1
            if state == ANSWERED and reply is not None and work.envelope.reply_to:
                effects.replies[work.envelope.reply_to].append(_reply(work.key, work.envelope.reference, reply))

    def _event(self, cause: Envelope, event: Announce) -> Outgoing:
        return outgoing_event(self.topology, cause.tenant, event, now=self.now, traceparent=cause.traceparent)

    def _command(self, cause: Envelope, command: Send) -> Outgoing:
        return outgoing_command(self.topology, cause.tenant, command, reply_to=self.own_queue, traceparent=cause.traceparent)


def derive_event_id(tenant: str, event: Announce) -> str:
    """Make the id of an event from what it is about and its number, so that it is the same however often it is made."""
    return derive_id("evt", tenant, event.aggregate, event.sequence)


def outgoing_event(topology: Topology, tenant: Tenant, event: Announce, *, now: datetime, traceparent: str = "") -> Outgoing:
    """Make the outbox row of an event."""
    event_id = derive_event_id(tenant, event)
    body = Event(event.aggregate, event.sequence, wire_time(now), raw(event.data), event.user_ids)
    envelope = Envelope(event_id, event.type, tenant, raw(body), traceparent=traceparent)
    return Outgoing(event_id, topology.events.name, family(event.type), encode(envelope))


def outgoing_command(topology: Topology, tenant: str, command: Send, *, reply_to: str, traceparent: str = "") -> Outgoing:
    """Make the outbox row of a command to another service."""
    envelope = Envelope(
        id=command.message_id,
        type=type(command.message).__name__,
        tenant=tenant,  # type: ignore[arg-type] # a tenant read from its own row
        body=raw(command.message),
        reply_to=reply_to,
        reference=command.reference,
        traceparent=traceparent,
    )
    return Outgoing(f"{tenant}/{command.message_id}", topology.commands.name, command.service, encode(envelope))


def _outcomes(envelope: Envelope, decision: Decision) -> list[Outcome]:
    outcomes = [
        Outcome(envelope.tenant, answer.message_id, ANSWERED, reply_body(answer.outcome, answer.before))
        for answer in decision.answers
    ]
    if decision.reply is not None:
        outcomes.append(Outcome(envelope.tenant, envelope.id, ANSWERED, reply_body(decision.reply, decision.before)))
    else:
        state = PENDING if envelope.reply_to and decision.commands else ANSWERED
        outcomes.append(Outcome(envelope.tenant, envelope.id, state, None))
    return outcomes


def _reply(key: inbox.MessageKey, reference: str, body: bytes) -> bytes:
    tenant, message_id = key
    return encode(Envelope(f"{message_id}.reply", "Reply", tenant, msgspec.Raw(body), reference=reference))  # type: ignore[arg-type]


def _entry(envelope: Envelope, outcomes: Mapping[inbox.MessageKey, Outcome]) -> Entry:
    outcome = outcomes[envelope.tenant, envelope.id]
    return Entry(envelope.tenant, envelope.id, envelope.type, envelope.reply_to, envelope.reference, outcome.state, outcome.reply)


def _label(decision: Decision) -> str:
    if isinstance(decision.reply, Refusal):
        return decision.reply.code
    return "pending" if decision.reply is None and decision.commands else "ok"


UseCases = Mapping[str, UseCase[Any]]
"""The use case of each message type."""
