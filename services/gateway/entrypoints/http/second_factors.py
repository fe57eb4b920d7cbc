"""Second factors of users, which large withdrawals ask for."""

from typing import Annotated

from fastapi import Body

from libs.common.contracts.commands.payouts import ConfirmSecondFactor, EnrolSecondFactor, RemoveSecondFactor
from libs.common.contracts.queries.payouts import GetSecondFactor, RevealSecondFactor
from libs.common.contracts.replies.payouts import NewSecondFactor, SecondFactor
from libs.common.kernel.ids import sibling_id
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import FactorCode, Fields, example
from services.gateway.entrypoints.http.routing import Operation


class Confirmation(Fields):
    """The first code of a second factor."""

    model_config = example(code="492039")

    code: FactorCode
    """Six digits, of the present thirty seconds."""


async def enrol_second_factor(call: Calling, user_id: str) -> Answer:
    """Set up a user's second factor.

    The answer is the only one that shows the key, for an authenticator app (TOTP, RFC 6238). It is in use once its first code is
    confirmed; until then asking again begins anew.
    """
    services, tenant = call.use_cases.services, call.tenant

    async def run(command_id: str) -> Answer:
        factor_id = sibling_id("fac", command_id)
        await services.command("payouts", EnrolSecondFactor(user_id, factor_id), tenant=tenant, command_id=command_id)
        return resource(await services.query("payouts", RevealSecondFactor(user_id, factor_id), tenant=tenant), status=201)

    return await call.once(run, window=DAY, storable=False, service="payouts")


async def get_second_factor(call: Calling, user_id: str) -> Answer:
    """Get a user's second factor.

    Whether there is one, and whether it is in use.
    """
    return await call.ask("payouts", GetSecondFactor(user_id))


async def confirm_second_factor(call: Calling, user_id: str, body: Annotated[Confirmation, Body()]) -> Answer:
    """Confirm a user's second factor.

    With its first code it is in use. A code is good once, for half a minute more than its own; five wrong ones lock the factor
    for a quarter of an hour.
    """
    return await call.submit("payouts", lambda _: ConfirmSecondFactor(user_id, body.code))


async def remove_second_factor(call: Calling, user_id: str) -> Answer:
    """Remove a user's second factor.

    For support, when a phone was lost: make sure who asks.
    """
    return await call.submit("payouts", lambda _: RemoveSecondFactor(user_id))


_PATH = "/users/{user_id}/second-factor"
OPERATIONS = (
    Operation(
        "POST", _PATH, enrol_second_factor, Scope.WRITE, NewSecondFactor, status=201, codes=("WALLET_NOT_FOUND", "INVALID_STATE"),
    ),
    Operation("GET", _PATH, get_second_factor, Scope.READ, SecondFactor, codes=("SECOND_FACTOR_NOT_FOUND",)),
    Operation(
        "POST", f"{_PATH}/confirm", confirm_second_factor, Scope.WRITE, SecondFactor,
        codes=("SECOND_FACTOR_NOT_FOUND", "SECOND_FACTOR_INVALID"),
    ),
    Operation("DELETE", _PATH, remove_second_factor, Scope.SUPPORT, SecondFactor, codes=("SECOND_FACTOR_NOT_FOUND",)),
)  # fmt: skip
