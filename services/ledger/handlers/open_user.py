"""Make an account holder with accounts at zero; a known external id gives back the user it names."""

from libs.common.contracts.accounts import address, available, reserved
from libs.common.contracts.commands.ledger import OpenUser
from libs.common.contracts.events.ledger import UserCreated
from libs.common.contracts.replies.ledger import UserOpened
from libs.common.kernel.money import CURRENCIES
from libs.common.messaging.use_cases import Announce, Context, Decision
from libs.common.persistence.state import Needs, State
from services.ledger.handlers.views import user_view
from services.ledger.store.rows import ACCOUNTS, USERS_BY_EXTERNAL_ID, AccountRow, UserRow, as_every_table_sees


def needs(message: OpenUser, context: Context) -> Needs:
    """Look for the external id; of two processes that race for one, the unique index makes the second look again."""
    return Needs(rows=((USERS_BY_EXTERNAL_ID, (context.tenant, message.external_user_id)),))


def decide(state: State, message: OpenUser, context: Context) -> Decision:
    """Open the user, or answer with the one that the external id names."""
    known = state.get(USERS_BY_EXTERNAL_ID, (context.tenant, message.external_user_id))
    if known is not None:
        return Decision(reply=UserOpened(user_view(known), created=False))
    user = UserRow(
        context.tenant,
        message.user_id,
        message.external_user_id,
        message.user_type,
        "ACTIVE",
        message.email,
        message.metadata,
        1,
        context.now,
        context.now,
    )
    return Decision(
        reply=UserOpened(user_view(user), created=True),
        rows=(
            *as_every_table_sees(user),
            *((ACCOUNTS, account) for account in _accounts(context, message.user_id)),
        ),
        events=(_created(user),),
    )


def _accounts(context: Context, user_id: str) -> list[AccountRow]:
    return [
        AccountRow(
            context.tenant,
            address(account, currency),
            purpose,
            currency,
            user_id,
            floored=True,
            balance=0,
            version=0,
            sequence=0,
            is_open=True,
        )
        for currency in CURRENCIES
        for account, purpose in ((available(user_id), "available"), (reserved(user_id), "reserved"))
    ]


def _created(user: UserRow) -> Announce:
    data = UserCreated(user.id, user.external_user_id, user.email, user.type, user.status, user.metadata)
    return Announce("user.created", f"user:{user.id}", user.sequence, data, user_ids=(user.id,))
