"""What escrow asks of the books, one journal for each way an order moves money."""

from libs.common.contracts import accounts
from libs.common.contracts.commands.ledger import Posting, PostJournal
from libs.common.kernel.errors import check
from services.escrow.domain.orders import Order
from services.escrow.domain.shares import Shares


def reserve(order: Order) -> PostJournal:
    """Put the buyer's money by; not for a seller who is suspended."""
    leg = (accounts.available(order.buyer_id), accounts.reserved(order.buyer_id), order.amount)
    return _journal(order, "reserve", leg, counterparties=(order.seller_id,))


def cancel(order: Order) -> PostJournal:
    """Give back what was put by."""
    return _journal(order, "cancel", (accounts.reserved(order.buyer_id), accounts.available(order.buyer_id), order.amount))


def fund(order: Order) -> PostJournal:
    """Move what was put by into escrow; not for a seller who is suspended."""
    leg = (accounts.reserved(order.buyer_id), accounts.escrow(order.id), order.amount)
    return _journal(order, "fund", leg, counterparties=(order.seller_id,))


def pay_out(order: Order, kind: accounts.JournalKind, shares: Shares) -> PostJournal:
    """Empty the escrow; parts of nothing are left out."""
    check(shares.seller + shares.fee + shares.buyer == order.amount, f"the parts of {order.id} differ from the whole")
    source = accounts.escrow(order.id)
    return _journal(
        order,
        kind,
        (source, accounts.available(order.seller_id), shares.seller),
        (source, accounts.PLATFORM_FEES, shares.fee),
        (source, accounts.available(order.buyer_id), shares.buyer),
    )


def _journal(
    order: Order, kind: accounts.JournalKind, *legs: tuple[str, str, int], counterparties: tuple[str, ...] = ()
) -> PostJournal:
    postings = tuple(Posting(source, destination, amount) for source, destination, amount in legs if amount)
    return PostJournal(kind, order.currency, postings, subject=order.id, counterparties=counterparties)
