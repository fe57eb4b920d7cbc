"""The calls that a refused caller can make instead."""

from collections.abc import Iterator
from typing import Any, Final

CALLS: Final = {
    "reserve": "POST /api/v1/orders/{order_id}/reserve",
    "cancel": "POST /api/v1/orders/{order_id}/cancel",
    "create_escrow": "POST /api/v1/orders/{order_id}/escrow",
    "fund": "POST /api/v1/orders/{order_id}/escrow/fund",
    "complete_milestone": "POST /api/v1/orders/{order_id}/milestones/{ref}/complete",
    "release": "POST /api/v1/orders/{order_id}/resolution/release",
    "refund": "POST /api/v1/orders/{order_id}/resolution/refund",
    "dispute": "POST /api/v1/orders/{order_id}/resolution/dispute",
    "assign": "POST /api/v1/disputes/{dispute_id}/assign",
    "resolve": "POST /api/v1/disputes/{dispute_id}/resolve",
}
"""What can be done to an order or a dispute → the call that does it."""


def next_calls(details: dict[str, Any]) -> list[str]:
    """Spell the calls behind a refusal's `allowed_actions`, as far as its details have the ids that they take."""
    return [call for action in details["allowed_actions"] for call in _calls(CALLS.get(action, ""), details)]


def _calls(call: str, details: dict[str, Any]) -> Iterator[str]:
    for ref in details.get("incomplete_milestones", ()) if "{ref}" in call else ("",):
        try:
            spelled = call.format_map({**details, "ref": ref})
        except KeyError:
            return
        if spelled:
            yield spelled
