"""The ledger's rows as clients see them."""

from libs.common.contracts.replies.ledger import User
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from services.ledger.store.rows import UserRow


def user_view(user: UserRow) -> User:
    """Show a user."""
    return User(
        id=user.id,
        external_user_id=user.external_user_id,
        type=user.type,
        status=user.status,
        email=user.email,
        metadata=user.metadata,
        created_at=wire_time(user.created_at),
        updated_at=wire_time(user.updated_at),
    )


def no_user(user_id: str) -> Refusal:
    """Say that there is no such user."""
    return Refusal("USER_NOT_FOUND", "No such user", {"user_id": user_id})
