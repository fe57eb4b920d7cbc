"""What escrow can be asked."""

import msgspec


class GetOrder(msgspec.Struct, frozen=True):
    """One order with its milestones, escrow and dispute."""

    order_id: str


class ListOrders(msgspec.Struct, frozen=True):
    """A page of orders, newest first; `user_id` finds either role; instants are ISO 8601."""

    limit: int = 20
    cursor: str | None = None
    status: str | None = None
    buyer_id: str | None = None
    seller_id: str | None = None
    user_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None


class GetEscrow(msgspec.Struct, frozen=True):
    """The escrow of an order."""

    order_id: str


class ListMilestones(msgspec.Struct, frozen=True):
    """The milestones of an order, in its own order."""

    order_id: str


class GetDispute(msgspec.Struct, frozen=True):
    """One dispute with its order."""

    dispute_id: str


class ListDisputes(msgspec.Struct, frozen=True):
    """A page of disputes, newest first."""

    limit: int = 20
    cursor: str | None = None
    status: str | None = None
    order_id: str | None = None
    opened_by: str | None = None
    user_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None


class ListComments(msgspec.Struct, frozen=True):
    """What was said on a dispute, oldest first."""

    dispute_id: str
