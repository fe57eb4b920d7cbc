"""Move money into or out of a user's balance by hand: a support agent's journal against the platform's adjustments."""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from libs.common.contracts.accounts import PLATFORM_ADJUSTMENTS, available
from libs.common.contracts.commands.ledger import Posting, PostJournal
from libs.common.contracts.envelope import encode
from libs.common.contracts.replies.ledger import BalanceAdjusted, BalanceAfter, JournalPosted
from libs.common.kernel.ids import Tenant, sibling_id
from libs.common.kernel.money import Currency, format_amount, parse_share
from services.gateway.domain.answers import Answer, resource
from services.gateway.handlers.services import Services

JOURNAL: Final = "jrn"
"""The ledger knows the command by its journal's id."""
_posted: Final = msgspec.json.Decoder(JournalPosted)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What the agent asked for; `amount` is stroops (10⁻⁷)."""

    user_id: str
    direction: Literal["credit", "debit"]
    amount: int
    currency: Currency
    reference: str
    description: str


async def adjust_balance(services: Services, adjustment: Adjustment, *, tenant: Tenant, command_id: str) -> Answer:
    """Post the journal and answer with what it left.

    Raises:
        RefusedError: the ledger forbids it. ApiError: no answer.
    """
    mine = available(adjustment.user_id)
    ends = (PLATFORM_ADJUSTMENTS, mine) if adjustment.direction == "credit" else (mine, PLATFORM_ADJUSTMENTS)
    journal = PostJournal(
        kind="adjust",
        currency=adjustment.currency,
        postings=(Posting(*ends, adjustment.amount),),
        subject=adjustment.reference,
        description=adjustment.description,
    )
    reply = await services.command("ledger", journal, tenant=tenant, command_id=sibling_id(JOURNAL, command_id))
    return adjusted(adjustment, reply.result)


def adjusted(adjustment: Adjustment, result: msgspec.Raw) -> Answer:
    """Answer with what the ledger said of the journal: asked again, it says the same."""
    posted = _posted.decode(result)
    left = posted.balances[0]
    moved = adjustment.amount if adjustment.direction == "credit" else -adjustment.amount
    before = BalanceAfter(left.user_id, format_amount(parse_share(left.available) - moved), left.reserved)
    shown = BalanceAdjusted(
        journal_id=posted.journal_id,
        user_id=left.user_id,
        operation=adjustment.direction.upper(),
        amount=format_amount(adjustment.amount),
        currency=adjustment.currency,
        available=left.available,
        reserved=left.reserved,
        reference=adjustment.reference or None,
        description=adjustment.description or None,
        created_at=posted.posted_at,
    )
    return resource(encode(shown), before=encode(before))
