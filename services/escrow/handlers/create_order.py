"""Agree on a sale; no money moves."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.contracts.commands.escrow import CreateOrder
from libs.common.kernel.errors import Refusal
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.escrow.domain.new_orders import check_terms
from services.escrow.domain.orders import Milestone, Order
from services.escrow.domain.states import ORDER, OrderStatus
from services.escrow.handlers.announcements import of_order, tell
from services.escrow.handlers.views import order_view
from services.escrow.store.parties import Key
from services.escrow.store.rows import ACTIVE, ORDERS, ORDERS_BY_CLIENT_REF, PartyRow


@dataclass(frozen=True, slots=True)
class CreateOrders:
    """The use case with the fee that new orders are made with, in basis points, and with the parties of its batch's orders."""

    fee_bps: int
    parties: Mapping[Key, PartyRow]

    def needs(self, message: CreateOrder, context: Context) -> Needs:
        """Name the orders that may be in the way."""
        order = (ORDERS, (context.tenant, message.order_id))
        if message.client_order_ref is None:
            return Needs(rows=(order,))
        return Needs(rows=(order, (ORDERS_BY_CLIENT_REF, (context.tenant, message.client_order_ref))))

    def decide(self, state: State, message: CreateOrder, context: Context) -> Decision:
        """Make the order, or say which rule forbids it."""
        refusal = check_terms(message) or _check_unknown(state, message, context) or self._check_parties(message, context)
        if refusal is not None:
            return Decision(reply=refusal)
        draft = _draft(message, context, self.fee_bps)
        order, events = tell(draft, of_order("order.created", draft))
        rows = [row(ORDERS, order)]
        if order.client_order_ref is not None:
            rows.append(row(ORDERS_BY_CLIENT_REF, order))
        return Decision(reply=order_view(order), rows=tuple(rows), events=events)

    def _check_parties(self, message: CreateOrder, context: Context) -> Refusal | None:
        for field, user_id in (("buyer_id", message.buyer_id), ("seller_id", message.seller_id)):
            party = self.parties.get((context.tenant, user_id))
            if party is None:
                return Refusal("USER_NOT_FOUND", "No such user", {"field": field, "user_id": user_id})
            if party.status != ACTIVE:
                details = {"field": field, "user_id": user_id, "status": party.status}
                return Refusal("USER_INACTIVE", "The user is not active", details)
        return None


def _check_unknown(state: State, message: CreateOrder, context: Context) -> Refusal | None:
    """Refuse an id or a reference that is taken; of two processes that race for one, the index makes the second look again."""
    known = state.get(ORDERS, (context.tenant, message.order_id))
    if known is None and message.client_order_ref is not None:
        known = state.get(ORDERS_BY_CLIENT_REF, (context.tenant, message.client_order_ref))
    if known is None:
        return None
    details = {"order_id": known.id, "client_order_ref": known.client_order_ref}
    return Refusal("ORDER_ALREADY_EXISTS", "An order with this client_order_ref exists", details)


def _draft(message: CreateOrder, context: Context, fee_bps: int) -> Order:
    return Order(
        tenant=context.tenant,
        id=message.order_id,
        client_order_ref=message.client_order_ref,
        buyer_id=message.buyer_id,
        seller_id=message.seller_id,
        amount=message.amount,
        currency=message.currency,
        quoted_currency=message.quoted_currency,
        title=message.title,
        description=message.description,
        metadata=message.metadata,
        fee_bps=fee_bps,
        status=OrderStatus(ORDER.start),
        final_status=None,
        milestones=tuple(
            Milestone(context.new_id("mls"), stated.ref, stated.title, stated.description, stated.amount)
            for stated in message.milestones
        ),
        escrow=None,
        dispute=None,
        comments=(),
        dispute_status=None,
        dispute_opened_by=None,
        dispute_opened_at=None,
        version=1,
        sequence=0,
        pending=None,
        pending_since=None,
        pending_tries=0,
        pending_due=None,
        created_at=context.now,
        updated_at=context.now,
    )
