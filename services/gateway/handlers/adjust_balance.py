"""Move money into or out of a user's balance by hand: a support agent's journal against the platform's adjustments."""

from dataclasses import dataclass
from typing import Literal

from libs.common.contracts.accounts import PLATFORM_ADJUSTMENTS, available
from libs.common.contracts.commands.ledger import Posting, PostJournal
from libs.common.contracts.queries.ledger import GetBalance
from libs.common.kernel.ids import Tenant, sibling_id
from libs.common.kernel.money import Currency
from services.gateway.domain.answers import Answer, resource
from services.gateway.handlers.services import Services


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
    """Post the journal and answer with the balance as it is then.

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
    await services.command("ledger", journal, tenant=tenant, command_id=sibling_id("jrn", command_id))
    return resource(await services.query("ledger", GetBalance(adjustment.user_id), tenant=tenant))
