"""The escrow of an order: opening it, funding it, looking at it."""

from typing import Annotated

from fastapi import Body

from libs.common.contracts.commands.escrow import CreateEscrow, FundEscrow
from libs.common.contracts.queries.escrow import GetEscrow
from libs.common.contracts.replies.escrow import Escrow
from libs.common.kernel.money import as_currency, booked_currency
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import WEEK
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples import NEW_ESCROW
from services.gateway.entrypoints.http.fields import Amount, Currency, Fields, example
from services.gateway.entrypoints.http.routing import Operation


class NewEscrow(Fields):
    """What to hold: the order's own amount and currency."""

    model_config = example(amount="2500.00", currency="USD")

    amount: Amount
    """The order's own."""
    currency: Currency
    """The order's own; USD and USDC are the same one."""


async def create_escrow(call: Calling, order_id: str, body: Annotated[NewEscrow, Body()]) -> Answer:
    """Create the escrow.

    Opens an escrow for an order whose money is reserved. Amount and currency must be the order's own. The escrow is
    PENDING until it is funded.
    """
    currency = as_currency(booked_currency(body.currency) or "")
    return await call.submit("escrow", lambda _: CreateEscrow(order_id, body.amount, currency), window=WEEK)


async def fund_escrow(call: Calling, order_id: str) -> Answer:
    """Fund the escrow.

    Moves the reserved money into escrow, where neither party can reach it. The order is then IN_PROGRESS.
    """
    return await call.submit("escrow", lambda _: FundEscrow(order_id), window=WEEK)


async def get_escrow(call: Calling, order_id: str) -> Answer:
    """Get an order's escrow.

    Where the money of the order stands, and once it has ended, who got how much of it.
    """
    return await call.ask("escrow", GetEscrow(order_id))


OPERATIONS = (
    Operation(
        "POST", "/orders/{order_id}/escrow", create_escrow, Scope.WRITE, Escrow, status=201, shown=NEW_ESCROW,
        codes=("ESCROW_ALREADY_EXISTS", "INVALID_STATE", "INVALID_CURRENCY", "RESERVE_MISMATCH_AMOUNT", "USER_INACTIVE"),
    ),
    Operation(
        "POST", "/orders/{order_id}/escrow/fund", fund_escrow, Scope.WRITE, Escrow,
        codes=("ESCROW_NOT_FOUND", "INVALID_STATE", "INSUFFICIENT_FUNDS", "USER_INACTIVE"),
    ),
    Operation("GET", "/orders/{order_id}/escrow", get_escrow, Scope.READ, Escrow, codes=("ESCROW_NOT_FOUND",)),
)  # fmt: skip
