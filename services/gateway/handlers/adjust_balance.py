"""Move money into or out of a user's balance by hand: a support agent's journal against the platform's adjustments."""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from libs.common.contracts.accounts import PLATFORM_ADJUSTMENTS, available
from libs.common.contracts.commands.ledger import Posting, PostJournal
from libs.common.contracts.envelope import encode
from libs.common.contracts.replies.ledger import BalanceAdjusted, JournalPosted
from libs.common.kernel.ids import Tenant, sibling_id
from libs.common.kernel.money import Currency, format_amount
from services.gateway.domain.answers import Answer, resource
from services.gateway.handlers.services import Services

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
    """Post the journal and answer with what it left, as the ledger said it: asked again, it says the same.

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
    posted = _posted.decode(await services.command("ledger", journal, tenant=tenant, command_id=sibling_id("jrn", command_id)))
    left = posted.balances[0]
    adjusted = BalanceAdjusted(
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
    return resource(encode(adjusted))
