"""What the clients' journal says must be true: a second, simpler telling of the rules, fed with accepted requests only."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from libs.common.kernel.money import parse_amount, parse_share
from tests.chaos.desk import Note

FEE_BPS: Final = 250
_ORDER: Final = re.compile(r"/orders/(?P<order>[^/]+)/(?P<action>.+)")
_DISPUTE: Final = re.compile(r"/disputes/(?P<dispute>[^/]+)/(?P<action>.+)")
_RANKS: Final = ("reserve", "escrow", "escrow/fund", "milestones", "resolution/dispute", "comments", "assign", "resolve")
"""Of two requests that raced, the answer of the first may have come last: an order's own course says which was first."""


@dataclass
class Order:
    """One order as its accepted requests have made it; amounts are stroops (10⁻⁷)."""

    id: str
    buyer: str
    seller: str
    amount: int
    milestones: dict[str, str]
    status: str = "ORDER_CREATED"
    final: str | None = None
    escrow: str | None = None
    dispute: str | None = None
    comments: int = 0
    journals: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=lambda: ["order.created"])
    paid: tuple[int, int, int] = (0, 0, 0)
    """To the seller, to the platform, back to the buyer."""

    def state(self) -> tuple[Any, ...]:
        """Return what the database is compared with."""
        return self.status, self.final, self.escrow, self.dispute, self.milestones, self.comments


@dataclass
class World:
    """Everything the accepted requests add up to."""

    orders: dict[str, Order] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    """User id by external id."""
    credits: Counter[str] = field(default_factory=Counter)
    """How often a credit's reference was accepted."""
    available: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reserved: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    escrowed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    fees: int = 0
    contradictions: list[str] = field(default_factory=list)


def retell(notes: Iterable[Note]) -> World:
    """Play the accepted requests on a world of our own."""
    world = World()
    steps: dict[str, list[tuple[int, str, Note]]] = defaultdict(list)
    for note in notes:
        if not note.accepted:
            continue
        if note.path == "/users":
            _sign_up(world, note)
        elif note.path.endswith("/balance/credit"):
            body = note.body or {}
            world.credits[body["reference"]] += 1
            world.available[note.path.split("/")[2]] += parse_amount(body["amount"])
        elif note.path == "/orders":
            _create(world, note)
        else:
            order_id, action = _step(note)
            steps[order_id].append((_rank(action), action, note))
    for order_id, taken in steps.items():
        order = world.orders[order_id]
        for _, action, note in sorted(taken, key=lambda step: step[0]):
            _take(world, order, action, note)
    return world


def _sign_up(world: World, note: Note) -> None:
    name, user_id = (note.body or {})["external_user_id"], note.data["id"]
    if world.people.setdefault(name, user_id) != user_id:
        world.contradictions.append(f"{name} is {world.people[name]} and {user_id}")


def _create(world: World, note: Note) -> None:
    body, order_id = note.body or {}, note.data["id"]
    if order_id in world.orders:
        world.contradictions.append(f"two keys made order {order_id}")
    milestones = {part["ref"]: "OPEN" for part in body.get("milestones", [])}
    world.orders[order_id] = Order(order_id, body["buyer_id"], body["seller_id"], parse_amount(body["amount"]), milestones)


def _step(note: Note) -> tuple[str, str]:
    found = _ORDER.fullmatch(note.path)
    if found is not None:
        return found["order"], found["action"]
    found = _DISPUTE.fullmatch(note.path)
    assert found is not None, note.path
    return found["dispute"].replace("dsp_", "ord_", 1), found["action"]


def _rank(action: str) -> int:
    head = "milestones" if action.startswith("milestones/") else action
    return _RANKS.index(head) if head in _RANKS else len(_RANKS)


def _take(world: World, order: Order, action: str, note: Note) -> None:
    match action.split("/"):
        case ["reserve"]:
            _expect(world, order, action, "ORDER_CREATED")
            order.status, order.journals, order.events = (
                "FUNDS_RESERVED",
                [*order.journals, "reserve"],
                [*order.events, "order.funds_reserved"],
            )
            world.available[order.buyer] -= order.amount
            world.reserved[order.buyer] += order.amount
        case ["escrow"]:
            _expect(world, order, action, "FUNDS_RESERVED")
            order.status, order.escrow = "ESCROW_FUNDING", "PENDING"
            order.events += ["order.escrow_creating", "escrow.created", "order.escrow_funding"]
        case ["escrow", "fund"]:
            _expect(world, order, action, "ESCROW_FUNDING")
            order.status, order.escrow = "IN_PROGRESS", "FUNDED"
            order.journals.append("fund")
            order.events += ["escrow.funded", "order.escrow_funded", "order.in_progress"]
            world.reserved[order.buyer] -= order.amount
            world.escrowed[order.id] += order.amount
        case ["milestones", ref, "complete"]:
            _expect(world, order, action, "IN_PROGRESS")
            order.milestones[ref] = "COMPLETED"
            order.events.append("escrow.milestone_completed")
        case ["cancel"]:
            _cancel(world, order)
        case ["resolution", "dispute"]:
            _expect(world, order, action, "IN_PROGRESS")
            order.status, order.escrow, order.dispute = "DISPUTED", "DISPUTED", "OPEN"
            order.events += ["dispute.opened", "order.disputed", "escrow.disputed"]
        case ["comments"]:
            order.comments += 1
            order.events.append("dispute.comment_added")
        case ["assign"]:
            order.dispute = "UNDER_REVIEW"
            order.events.append("dispute.under_review")
        case _:
            _settle(world, order, action, note)


def _cancel(world: World, order: Order) -> None:
    _expect(world, order, "cancel", "ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING")
    if order.status != "ORDER_CREATED":
        order.journals.append("cancel")
        world.reserved[order.buyer] -= order.amount
        world.available[order.buyer] += order.amount
    order.status, order.final = "CLOSED", "CANCELED"
    order.escrow = order.escrow and "CANCELED"
    order.events += ["order.canceled", "order.closed"]


def _settle(world: World, order: Order, action: str, note: Note) -> None:
    """Pay an escrow out: by release, by refund, or as a dispute was decided."""
    body = note.body or {}
    match action, body.get("decision"):
        case ("resolution/release", _) | ("resolve", "FULL_RELEASE"):
            kind, final, released = "release", "RELEASED", order.amount
        case ("resolution/refund", _) | ("resolve", "FULL_REFUND"):
            kind, final, released = "refund", "REFUNDED", 0
        case _:
            kind, final, released = "split", "SPLIT", parse_share(body["release_amount"])
    refunded = order.amount - released
    _expect(world, order, action, "DISPUTED" if action == "resolve" else "IN_PROGRESS")
    order.events += _settled_events(action, final, released=released, refunded=refunded)
    order.status, order.final, order.escrow = "CLOSED", final, final
    order.dispute = "RESOLVED" if action == "resolve" else order.dispute
    order.journals.append(kind)
    fee = released * FEE_BPS // 10_000
    order.paid = (released - fee, fee, refunded)
    world.escrowed[order.id] -= order.amount
    world.available[order.seller] += released - fee
    world.available[order.buyer] += refunded
    world.fees += fee


def _settled_events(action: str, final: str, *, released: int, refunded: int) -> list[str]:
    if action != "resolve":
        verb = final.lower()
        return [f"order.{action.rpartition('/')[2]}_requested", f"escrow.{verb}", f"order.{verb}", "order.closed"]
    parts = ["escrow.released"] * bool(released) + ["escrow.refunded"] * bool(refunded)
    return ["dispute.resolved", *parts, *([f"order.{final.lower()}"] if final != "SPLIT" else []), "order.closed"]


def _expect(world: World, order: Order, action: str, *statuses: str) -> None:
    if order.status not in statuses:
        world.contradictions.append(f"{action} of {order.id} was accepted although it was {order.status}")
