"""The addresses of accounts in the books, and the kinds of journal that move money between them."""

from typing import Final, Literal

from libs.common.kernel.money import Currency

JournalKind = Literal[
    "reserve", "cancel", "fund", "release", "refund", "split", "withdraw", "settle", "return", "deposit", "topup", "adjust"
]

PLATFORM_FEES: Final = "platform:fees"
PLATFORM_ADJUSTMENTS: Final = "platform:adjustments"
EXTERNAL_STELLAR: Final = "external:stellar"
EXTERNAL_AIRTM: Final = "external:airtm"


def available(user_id: str) -> str:
    """Name the account of what a user can spend."""
    return f"user:{user_id}:available"


def reserved(user_id: str) -> str:
    """Name the account of what a user keeps for orders that are not funded yet."""
    return f"user:{user_id}:reserved"


def escrow(order_id: str) -> str:
    """Name the account of what is held for an order; its holder is the buyer."""
    return f"order:{order_id}:escrow"


def clearing(withdrawal_id: str) -> str:
    """Name the account of a withdrawal that is under way."""
    return f"withdrawal:{withdrawal_id}:clearing"


def address(account: str, currency: Currency) -> str:
    """Name one account of one currency: the id of its row."""
    return f"{account}:{currency}"
