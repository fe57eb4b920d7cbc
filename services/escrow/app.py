"""Escrow put together."""

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.envelope import REPLY_TYPE
from libs.common.messaging.batch import Schema
from libs.common.messaging.worker import Service
from services.escrow.entrypoints.sweeper import sweep
from services.escrow.handlers import (
    assign_dispute,
    cancel_order,
    comment_dispute,
    complete_milestone,
    create_escrow,
    fund_escrow,
    note_user,
    open_dispute,
    read_disputes,
    read_orders,
    refund_order,
    release_order,
    reserve_order,
    resolve_dispute,
    settle_journal,
)
from services.escrow.handlers.create_order import CreateOrders
from services.escrow.handlers.know_parties import PartyBook
from services.escrow.settings import EscrowSettings
from services.escrow.store.rows import LOCK_ORDER


def build(settings: EscrowSettings) -> Service:
    """Name what escrow obeys, hears and answers."""
    parties = PartyBook()
    return Service(
        name="escrow",
        schema=Schema(tables=LOCK_ORDER),
        use_cases={
            "CreateOrder": CreateOrders(settings.platform_fee_bps, parties.known),
            "ReserveOrder": reserve_order,
            "CancelOrder": cancel_order,
            "CompleteMilestone": complete_milestone,
            "CreateEscrow": create_escrow,
            "FundEscrow": fund_escrow,
            "ReleaseOrder": release_order,
            "RefundOrder": refund_order,
            "OpenDispute": open_dispute,
            "AssignDispute": assign_dispute,
            "CommentDispute": comment_dispute,
            "ResolveDispute": resolve_dispute,
            REPLY_TYPE: settle_journal,
            **{name: note_user for name in EVENTS if name.startswith("user.")},
        },
        readers={
            "GetOrder": read_orders.get_order,
            "ListOrders": read_orders.list_orders,
            "GetEscrow": read_orders.get_escrow,
            "ListMilestones": read_orders.list_milestones,
            "GetDispute": read_disputes.get_dispute,
            "ListDisputes": read_disputes.list_disputes,
            "ListComments": read_disputes.list_comments,
        },
        prepare=parties.looking_up,
        loops=(sweep,),
    )
