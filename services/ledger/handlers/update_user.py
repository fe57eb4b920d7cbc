"""Change a user: its status, its type, where to reach it, or what the marketplace notes on it."""

import msgspec

from libs.common.contracts.commands.ledger import UpdateUser
from libs.common.contracts.events.ledger import UserStatusChanged, UserUpdated
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import invalid
from libs.common.kernel.metadata import merged, problem_with
from libs.common.messaging.use_cases import Announce, Context, Decision
from libs.common.persistence.state import Needs, State
from services.ledger.handlers.views import no_user, user_view
from services.ledger.store.rows import USERS, UserRow, as_every_table_sees


def needs(message: UpdateUser, context: Context) -> Needs:
    """Name the user."""
    return Needs(rows=((USERS, (context.tenant, message.user_id)),))


def decide(state: State, message: UpdateUser, context: Context) -> Decision:
    """Make the changes that are any; a user that is as it should be stays, and nobody hears of it."""
    user = state.get(USERS, (context.tenant, message.user_id))
    if user is None:
        return Decision(reply=no_user(message.user_id))
    metadata = merged(user.metadata, message.metadata)
    problem = problem_with(metadata) if message.metadata else None
    if problem is not None:
        return Decision(reply=invalid("metadata", f"{problem} after the change"))
    described = msgspec.structs.replace(
        user,
        type=message.user_type or user.type,
        email=user.email if message.email is msgspec.UNSET else message.email,
        metadata=metadata,
    )
    changed = msgspec.structs.replace(described, status=message.status or user.status)
    if _same(changed, user):
        return Decision(reply=user_view(user))
    said: list[tuple[str, msgspec.Struct]] = []
    if not _same(described, user):
        said.append(("user.updated", _updated(changed)))
    if changed.status != user.status:
        kind = "user.activated" if changed.status == "ACTIVE" else "user.suspended"
        said.append((kind, _status_changed(changed, message, context)))
    changed = msgspec.structs.replace(changed, sequence=user.sequence + len(said), updated_at=context.now)
    events = tuple(
        Announce(kind, f"user:{user.id}", number, data, user_ids=(user.id,))
        for number, (kind, data) in enumerate(said, user.sequence + 1)
    )
    return Decision(reply=user_view(changed), rows=as_every_table_sees(changed), events=events, before=user_view(user))


def _same(one: UserRow, other: UserRow) -> bool:
    """Compare as JSON: to Python, true and 1 in the metadata are equal."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def _updated(user: UserRow) -> UserUpdated:
    return UserUpdated(user.id, user.external_user_id, user.email, user.type, user.status, user.metadata)


def _status_changed(user: UserRow, message: UpdateUser, context: Context) -> UserStatusChanged:
    return UserStatusChanged(user.id, user.external_user_id, user.status, message.reason, wire_time(context.now))
