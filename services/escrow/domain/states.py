"""Where an order and its dispute can stand, and what leads from one place to the next."""

from enum import StrEnum
from typing import Final

from libs.common.kernel.transitions import Transitions


class OrderStatus(StrEnum):
    """What is stored of an order; requests, releases and refunds are events, never places to stay."""

    ORDER_CREATED = "ORDER_CREATED"
    FUNDS_RESERVED = "FUNDS_RESERVED"
    ESCROW_FUNDING = "ESCROW_FUNDING"
    """The escrow exists and awaits its money."""
    IN_PROGRESS = "IN_PROGRESS"
    """The money is in escrow and the work is under way."""
    DISPUTED = "DISPUTED"
    CLOSED = "CLOSED"
    """Terminal: the final status says how it ended."""


class OrderAction(StrEnum):
    """What can be done to an order."""

    RESERVE = "reserve"
    CANCEL = "cancel"
    CREATE_ESCROW = "create_escrow"
    FUND = "fund"
    COMPLETE_MILESTONE = "complete_milestone"
    RELEASE = "release"
    REFUND = "refund"
    DISPUTE = "dispute"
    RESOLVE = "resolve"


class FinalStatus(StrEnum):
    """How a closed order ended."""

    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    SPLIT = "SPLIT"
    CANCELED = "CANCELED"


class EscrowStatus(StrEnum):
    """Where the money of an order stands."""

    PENDING = "PENDING"
    FUNDED = "FUNDED"
    DISPUTED = "DISPUTED"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    SPLIT = "SPLIT"
    CANCELED = "CANCELED"
    """The order was called off before any money arrived."""


class MilestoneStatus(StrEnum):
    """A part of the work is open until it is completed."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"


class DisputeStatus(StrEnum):
    """Where a contest stands."""

    OPEN = "OPEN"
    UNDER_REVIEW = "UNDER_REVIEW"
    RESOLVED = "RESOLVED"


class DisputeAction(StrEnum):
    """What can be done to a dispute."""

    ASSIGN = "assign"
    RESOLVE = "resolve"


_O, _A = OrderStatus, OrderAction

ORDER: Final = Transitions(
    OrderStatus.ORDER_CREATED,
    {
        (_O.ORDER_CREATED, _A.RESERVE): _O.FUNDS_RESERVED,
        (_O.ORDER_CREATED, _A.CANCEL): _O.CLOSED,
        (_O.FUNDS_RESERVED, _A.CREATE_ESCROW): _O.ESCROW_FUNDING,
        (_O.FUNDS_RESERVED, _A.CANCEL): _O.CLOSED,
        (_O.ESCROW_FUNDING, _A.FUND): _O.IN_PROGRESS,
        (_O.ESCROW_FUNDING, _A.CANCEL): _O.CLOSED,
        (_O.IN_PROGRESS, _A.COMPLETE_MILESTONE): _O.IN_PROGRESS,
        (_O.IN_PROGRESS, _A.RELEASE): _O.CLOSED,
        (_O.IN_PROGRESS, _A.REFUND): _O.CLOSED,
        (_O.IN_PROGRESS, _A.DISPUTE): _O.DISPUTED,
        (_O.DISPUTED, _A.RESOLVE): _O.CLOSED,
    },
)

DISPUTE: Final = Transitions(
    DisputeStatus.OPEN,
    {
        (DisputeStatus.OPEN, DisputeAction.ASSIGN): DisputeStatus.UNDER_REVIEW,
        (DisputeStatus.OPEN, DisputeAction.RESOLVE): DisputeStatus.RESOLVED,
        (DisputeStatus.UNDER_REVIEW, DisputeAction.RESOLVE): DisputeStatus.RESOLVED,
    },
)
