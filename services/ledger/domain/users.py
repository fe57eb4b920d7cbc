"""What a user can be."""

from typing import Final, get_args

from libs.common.contracts.replies.ledger import UserStatus, UserType

STATUSES: Final[tuple[str, ...]] = get_args(UserStatus)
TYPES: Final[tuple[str, ...]] = get_args(UserType)
