"""Escrow and a ledger in memory: the real decisions on rows in dictionaries, for tests that need no server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from libs.common.contracts.commands.escrow import (
    CompleteMilestone,
    CreateEscrow,
    CreateOrder,
    FundEscrow,
    NewMilestone,
    OpenDispute,
    ReserveOrder,
)
from libs.common.contracts.commands.ledger import PostJournal
from libs.common.contracts.envelope import REPLY_TYPE, Reply, raw
from libs.common.contracts.replies.ledger import JournalPosted
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant
from libs.common.kernel.money import UNIT, format_amount
from libs.common.messaging.use_cases import Announce, Context, Decision, Send
from libs.common.persistence.state import Needs, State
from services.escrow.app import build
from services.escrow.domain.orders import Order
from services.escrow.handlers.create_order import CreateOrders
from services.escrow.settings import EscrowSettings
from services.escrow.store.rows import LOCK_ORDER, PARTIES, PartyRow

TENANT = Tenant("shop:live")
START = datetime(2026, 1, 12, 10, 0, tzinfo=UTC)
BUYER, SELLER, ORDER_ID = "usr_buyer", "usr_seller", "ord_1"
WHOLE = 100 * UNIT


@dataclass
class Desk:
    """Obeys commands one at a time, as the write path would, and keeps what they left behind."""

    fee_bps: int = 0
    rows: dict[str, dict[Any, Any]] = field(default_factory=dict)
    events: list[Announce] = field(default_factory=list)
    sent: list[Send] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    now: datetime = START
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.use_cases: dict[str, Any] = {
            **build(EscrowSettings(database_url="postgresql://")).use_cases,  # type: ignore[call-arg,arg-type]
            "CreateOrder": CreateOrders(self.fee_bps, self.rows.setdefault(PARTIES.name, {})),
        }
        for user_id in (BUYER, SELLER):
            self.keep(PARTIES, PartyRow(TENANT, user_id, "ACTIVE", 1))

    @property
    def order(self) -> Order:
        found: Order = self.rows["orders"][TENANT, ORDER_ID]
        return found

    def keep(self, table: Any, row: Any) -> None:
        self.rows.setdefault(table.name, {})[table.key_of(row)] = row

    def do(self, message: Any, *, message_id: str = "", reference: str = "", kind: str = "") -> Decision:
        """Decide one message and keep its rows, events, commands and answers."""
        self.now += timedelta(seconds=1)
        message_id = message_id or f"cmd_{next(self.numbers)}"
        context = Context(TENANT, message_id, reference, self.now, "bat_1", lambda prefix: f"{prefix}_{next(self.numbers)}")
        use_case = self.use_cases[kind or type(message).__name__]
        decision: Decision = use_case.decide(self._load(use_case.needs(message, context)), message, context)
        for table, row in decision.rows:
            if not table.index:
                self.keep(table, row)
        self.events += decision.events
        self.sent += decision.commands
        if decision.reply is not None:
            self._answer(message_id, decision.reply)
        for answer in decision.answers:
            self._answer(answer.message_id, answer.outcome)
        return decision

    def settle(self, send: Send, refusal: Refusal | None = None) -> Decision:
        """Bring the ledger's answer to a journal."""
        reply = Reply(refusal=refusal) if refusal else Reply(result=raw(JournalPosted(send.message_id, "now")))
        return self.do(reply, message_id=f"{send.message_id}.reply", reference=send.reference, kind=REPLY_TYPE)

    def settled(self, message: Any) -> Decision:
        """Obey a command and, when it asks the ledger, let the ledger agree."""
        decision = self.do(message)
        return self.settle(decision.commands[0]) if decision.commands else decision

    def _answer(self, message_id: str, outcome: Any) -> None:
        assert message_id not in self.answers, f"{message_id} was answered twice"
        self.answers[message_id] = outcome

    def _load(self, needs: Needs) -> State:
        for table, row in needs.new:
            self.rows.setdefault(table.name, {}).setdefault(table.key_of(row), row)
        state = State()
        for table in LOCK_ORDER:
            wanted = {key for named, key in needs.rows if named is table}
            state._loaded_rows(table, [row for row in self.rows.get(table.name, {}).values() if table.key_of(row) in wanted])
        return state


@dataclass
class Books:
    """A ledger of dictionaries: journals by id, once; users never below zero."""

    balances: dict[str, int] = field(default_factory=dict)
    journals: dict[str, PostJournal] = field(default_factory=dict)
    verdicts: dict[str, Refusal | None] = field(default_factory=dict)

    def post(self, send: Send) -> Refusal | None:
        """Post a journal, or give the verdict it got before."""
        journal = send.message
        assert isinstance(journal, PostJournal)
        if send.message_id not in self.verdicts:
            self.verdicts[send.message_id] = self._post(send.message_id, journal)
        return self.verdicts[send.message_id]

    def _post(self, journal_id: str, journal: PostJournal) -> Refusal | None:
        after = dict(self.balances)
        for posting in journal.postings:
            after[posting.source] = after.get(posting.source, 0) - posting.amount
            after[posting.destination] = after.get(posting.destination, 0) + posting.amount
            if after[posting.source] < 0:
                missing = {"requested": format_amount(posting.amount), "available": "0.00"}
                return Refusal("INSUFFICIENT_FUNDS", "Available balance is less than requested amount", missing)
        self.balances = after
        self.journals[journal_id] = journal
        return None


def new_order(**changes: Any) -> CreateOrder:
    """The terms of an order over 100.00 USD."""
    terms = CreateOrder(ORDER_ID, BUYER, SELLER, WHOLE, "USD", "USD", "Logo")
    return msgspec.structs.replace(terms, **changes)


TWO_PARTS = (NewMilestone("m1", "Draft", 60 * UNIT), NewMilestone("m2", "Final", 40 * UNIT))
_STEPS: dict[str, tuple[Any, ...]] = {
    "FUNDS_RESERVED": (ReserveOrder(ORDER_ID),),
    "ESCROW_FUNDING": (CreateEscrow(ORDER_ID, WHOLE, "USD"),),
    "IN_PROGRESS": (FundEscrow(ORDER_ID),),
    "DISPUTED": (OpenDispute(ORDER_ID, "BUYER"),),
}


def desk_at(status: str, *, fee_bps: int = 0, **terms: Any) -> Desk:
    """A desk with one order that has come as far as `status`, each step obeyed and settled."""
    desk = Desk(fee_bps)
    desk.do(new_order(**terms))
    for reached, steps in _STEPS.items():
        if desk.order.status == status:
            break
        for step in steps:
            desk.settled(step)
        assert desk.order.status == reached
    return desk


def complete_all(desk: Desk) -> None:
    """Complete every milestone of the order."""
    for milestone in desk.order.milestones:
        desk.do(CompleteMilestone(ORDER_ID, milestone.ref))


def told(desk: Desk) -> list[str]:
    """The types of the events so far."""
    return [event.type for event in desk.events]
