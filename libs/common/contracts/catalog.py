"""(type, version) → class, for every message on the bus; and the public names of every event."""

from types import ModuleType
from typing import Final

import msgspec

from libs.common.contracts import notices
from libs.common.contracts.commands import common as common_commands
from libs.common.contracts.commands import escrow as escrow_commands
from libs.common.contracts.commands import ledger as ledger_commands
from libs.common.contracts.commands import payouts as payout_commands
from libs.common.contracts.commands import webhooks as webhook_commands
from libs.common.contracts.envelope import REPLY_TYPE, Event, Reply
from libs.common.contracts.events import escrow, ledger, payouts, webhooks
from libs.common.contracts.queries import common as common_queries
from libs.common.contracts.queries import escrow as escrow_queries
from libs.common.contracts.queries import ledger as ledger_queries
from libs.common.contracts.queries import payouts as payout_queries
from libs.common.contracts.queries import webhooks as webhook_queries

MessageKey = tuple[str, int]


def _structs(*modules: ModuleType) -> dict[MessageKey, type[msgspec.Struct]]:
    found = (thing for module in modules for thing in vars(module).values())
    return {
        (thing.__name__, 1): thing
        for thing in found
        if isinstance(thing, type) and issubclass(thing, msgspec.Struct) and thing is not msgspec.Struct
    }


COMMANDS: Final = _structs(common_commands, ledger_commands, escrow_commands, payout_commands, webhook_commands)
QUERIES: Final = _structs(common_queries, ledger_queries, escrow_queries, payout_queries, webhook_queries)

NOTICES: Final = _structs(notices)

EVENTS: Final[dict[str, type[msgspec.Struct]]] = {
    "user.created": ledger.UserCreated,
    "user.updated": ledger.UserUpdated,
    "user.suspended": ledger.UserStatusChanged,
    "user.activated": ledger.UserStatusChanged,
    "balance.credited": ledger.BalanceMoved,
    "balance.debited": ledger.BalanceMoved,
    "balance.reserved": ledger.BalanceMoved,
    "balance.released": ledger.BalanceMoved,
    "order.created": escrow.OrderEvent,
    "order.funds_reserved": escrow.OrderEvent,
    "order.escrow_creating": escrow.OrderEvent,
    "order.escrow_funding": escrow.OrderEvent,
    "order.escrow_funded": escrow.OrderEvent,
    "order.in_progress": escrow.OrderEvent,
    "order.release_requested": escrow.OrderEvent,
    "order.released": escrow.OrderEvent,
    "order.refund_requested": escrow.OrderEvent,
    "order.refunded": escrow.OrderEvent,
    "order.disputed": escrow.OrderEvent,
    "order.canceled": escrow.OrderEvent,
    "order.closed": escrow.OrderEvent,
    "escrow.created": escrow.EscrowEvent,
    "escrow.funded": escrow.EscrowEvent,
    "escrow.released": escrow.EscrowEvent,
    "escrow.refunded": escrow.EscrowEvent,
    "escrow.disputed": escrow.EscrowEvent,
    "escrow.milestone_completed": escrow.MilestoneCompleted,
    "dispute.opened": escrow.DisputeEvent,
    "dispute.under_review": escrow.DisputeEvent,
    "dispute.comment_added": escrow.DisputeEvent,
    "dispute.resolved": escrow.DisputeEvent,
    "wallet.created": payouts.WalletCreated,
    "withdrawal.created": payouts.WithdrawalEvent,
    "withdrawal.flagged": payouts.WithdrawalFlagged,
    "withdrawal.canceled": payouts.WithdrawalEvent,
    "withdrawal.completed": payouts.WithdrawalCompleted,
    "withdrawal.failed": payouts.WithdrawalFailed,
    "webhook.created": webhooks.EndpointEvent,
    "webhook.updated": webhooks.EndpointEvent,
    "webhook.secret_rotated": webhooks.EndpointEvent,
    "webhook.test": webhooks.EndpointTest,
    "webhook.deleted": webhooks.EndpointEvent,
    "webhook.disabled": webhooks.EndpointEvent,
    "webhook.exhausted": webhooks.EndpointEvent,
}
"""Every event a subscriber may name, and the shape of its `data`."""


def bodies() -> dict[MessageKey, type[msgspec.Struct]]:
    """Map (type, version) to the class of an envelope's body, for everything a write path may meet."""
    return COMMANDS | {(REPLY_TYPE, 1): Reply} | {(name, 1): Event for name in EVENTS}
