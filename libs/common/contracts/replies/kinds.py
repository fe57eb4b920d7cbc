"""The kinds of field that answers are made of: plain strings that say, in the API's document, which strings they can be.

Nothing is checked at run time: what a service answers is right because it made it.
"""

from typing import Annotated, Final, get_args

import msgspec

INSTANT_PATTERN: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"


def shown(description: str = "", **schema: object) -> msgspec.Meta:
    """Say in the document what a field is, with these keywords of JSON Schema."""
    told = {"description": description} if description else {}
    return msgspec.Meta(extra_json_schema=told | schema)


def one_of(literal: object, description: str = "") -> msgspec.Meta:
    """Say that a field holds one of the values of a Literal type."""
    return shown(description, enum=list(get_args(literal)))


def _id(prefix: str) -> msgspec.Meta:
    return shown(pattern=f"^{prefix}_[0-9A-Za-z]{{1,64}}$")


Instant = Annotated[str, shown("UTC, with three decimals", format="date-time", pattern=INSTANT_PATTERN)]
Amount = Annotated[str, shown("A decimal string with two to seven decimals", pattern=r"^\d+\.\d{2,7}$")]
SignedAmount = Annotated[
    str, shown("A decimal string with two to seven decimals; what left is negative", pattern=r"^-?\d+\.\d{2,7}$")
]
BookedCurrency = Annotated[str, shown("The currency of the books: USDC is kept as USD", enum=["USD", "XLM"])]
QuotedCurrency = Annotated[str, shown("As the caller wrote it", enum=["USD", "USDC", "XLM"])]
UserId = Annotated[str, _id("usr")]
OrderId = Annotated[str, _id("ord")]
EscrowId = Annotated[str, _id("esc")]
MilestoneId = Annotated[str, _id("mls")]
DisputeId = Annotated[str, _id("dsp")]
CommentId = Annotated[str, _id("cmt")]
JournalId = Annotated[str, _id("jrn")]
WithdrawalId = Annotated[str, _id("wth")]
WalletId = Annotated[str, _id("wal")]
WebhookId = Annotated[str, _id("wh")]
ReplayId = Annotated[str, _id("rpl")]
DeliveryId = Annotated[str, _id("whd")]
EventId = Annotated[str, _id("evt")]
KeyId = Annotated[str, _id("key")]
EventType = Annotated[str, shown("The name of an event; new ones may come", pattern=r"^[a-z]+\.[a-z_]+$")]
Url = Annotated[str, shown(format="uri")]
