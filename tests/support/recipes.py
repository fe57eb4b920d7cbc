"""One valid call of every operation, with the ids in it told apart from the rest: what the authorisation matrix is made of."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from tests.support.world import DESTINATION, Shop

Where = Literal["path", "query", "body"]


class Ours(NamedTuple):
    """A value that names something of the shop that sends it; `kind` is what the other shops have one of too."""

    kind: str
    value: str


class Slot(NamedTuple):
    """Where in a call such a value stands."""

    where: Where
    name: str
    ours: Ours


@dataclass(frozen=True)
class Attempt:
    """A call of one operation; values of type `Ours` are its slots."""

    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    undo: str = ""
    """What the operator posts afterwards, so that the world goes on."""

    def slots(self) -> Iterator[Slot]:
        """Every value of ours, wherever it stands."""
        places: tuple[tuple[Where, Mapping[str, Any]], ...] = (
            ("path", self.path), ("query", self.query), ("body", self.body or {}),
        )  # fmt: skip
        for where, values in places:
            for name, value in values.items():
                if isinstance(value, Ours):
                    yield Slot(where, name, value)

    def with_value(self, slot: Slot, value: str) -> "Attempt":
        """The same call with another value in one slot."""
        changed: Any = {**(getattr(self, slot.where) or {}), slot.name: Ours(slot.ours.kind, value)}
        return replace(self, **{slot.where: changed})


Recipe = Callable[[Shop], Awaitable[Attempt]]


def _sampled(**kinds: str) -> Recipe:
    """A read of what the shop has a sample of: path parameter → kind."""

    async def prepare(shop: Shop) -> Attempt:
        return Attempt(path={name: Ours(kind, shop.sample[kind]) for name, kind in kinds.items()})

    return prepare


def _listed(path: Mapping[str, str] | None = None, **kinds: str) -> Recipe:
    """A list: path parameters and query parameters → kind; `cursor` is an id too."""

    async def prepare(shop: Shop) -> Attempt:
        return Attempt(
            path={name: Ours(kind, shop.sample[kind]) for name, kind in (path or {}).items()},
            query={name: Ours(kind, shop.sample[kind]) for name, kind in kinds.items()},
        )

    return prepare


def _step(status: str, body: Mapping[str, Any] | None = None) -> Recipe:
    """A step on a new order that has come as far as `status`."""

    async def prepare(shop: Shop) -> Attempt:
        return Attempt(path={"order_id": Ours("order", await shop.order(status))}, body=body)

    return prepare


def _on_user(body: Mapping[str, Any]) -> Recipe:
    async def prepare(shop: Shop) -> Attempt:
        return Attempt(path={"user_id": Ours("user", await shop.user(credit="10.00"))}, body=body)

    return prepare


def _on_dispute(body: Mapping[str, Any]) -> Recipe:
    async def prepare(shop: Shop) -> Attempt:
        return Attempt(path={"dispute_id": Ours("dispute", await shop.dispute())}, body=body)

    return prepare


async def _new_user(shop: Shop) -> Attempt:
    return Attempt(body={"external_user_id": f"{shop.mark}-one"})


async def _new_order(shop: Shop) -> Attempt:
    parties = {"buyer_id": Ours("user", shop.sample["user"]), "seller_id": Ours("seller", shop.sample["seller"])}
    return Attempt(body=parties | {"amount": "10.00", "currency": "USD", "title": shop.mark})


async def _complete(shop: Shop) -> Attempt:
    order = await shop.order("IN_PROGRESS")
    return Attempt(path={"order_id": Ours("order", order), "ref": "m1"})


async def _settle(shop: Shop) -> Attempt:
    order = await shop.order("COMPLETED")
    shown = (await shop.market.get(f"/orders/{order}")).json()["data"]
    return Attempt(path={"order_id": Ours("order", order)}, body={"requested_by": Ours("user", shown["buyer_id"])})


async def _refund(shop: Shop) -> Attempt:
    order = await shop.order("IN_PROGRESS")
    shown = (await shop.market.get(f"/orders/{order}")).json()["data"]
    return Attempt(path={"order_id": Ours("order", order)}, body={"requested_by": Ours("user", shown["seller_id"])})


async def _dispute(shop: Shop) -> Attempt:
    order = await shop.order("IN_PROGRESS")
    shown = (await shop.market.get(f"/orders/{order}")).json()["data"]
    body = {"opened_by": Ours("user", shown["buyer_id"]), "description": shop.mark}
    return Attempt(path={"order_id": Ours("order", order)}, body=body)


async def _comment(shop: Shop) -> Attempt:
    dispute = Ours("dispute", await shop.dispute())
    return Attempt(path={"dispute_id": dispute}, body={"message": shop.mark, "user_id": Ours("user", shop.sample["user"])})


async def _new_withdrawal(shop: Shop) -> Attempt:
    user = Ours("user", await shop.user(credit="10.00"))
    return Attempt(body={"user_id": user, "amount": "5.00", "destination": DESTINATION, "description": shop.mark})


def _on_withdrawal(body: Mapping[str, Any] | None = None) -> Recipe:
    async def prepare(shop: Shop) -> Attempt:
        return Attempt(path={"withdrawal_id": Ours("withdrawal", await shop.withdrawal())}, body=body)

    return prepare


async def _unapproved_withdrawal(shop: Shop) -> Attempt:
    withdrawal = await shop.withdrawal(amount="60000.00", asked_with="second")
    return Attempt(path={"withdrawal_id": Ours("withdrawal", withdrawal)})


async def _enrolled(shop: Shop) -> Attempt:
    await shop.second_factor()
    return Attempt(path={"user_id": Ours("user", shop.sample["user"])})


async def _confirmation(shop: Shop) -> Attempt:
    code = await shop.second_factor()
    return Attempt(path={"user_id": Ours("user", shop.sample["user"])}, body={"code": code})


async def _new_webhook(shop: Shop) -> Attempt:
    return Attempt(body={"url": f"{shop.hooks}/{shop.mark}", "events": ["webhook.exhausted"]})


async def _delete_webhook(shop: Shop) -> Attempt:
    return Attempt(path={"webhook_id": Ours("webhook", await shop.webhook())})


async def _change_webhook(shop: Shop) -> Attempt:
    return Attempt(path={"webhook_id": Ours("webhook", await shop.webhook())}, body={"description": "changed"})


async def _test_webhook(shop: Shop) -> Attempt:
    return Attempt(path={"webhook_id": Ours("webhook", await shop.webhook())})


async def _rotate_secret(shop: Shop) -> Attempt:
    return Attempt(path={"webhook_id": Ours("webhook", await shop.webhook())}, body={"overlap_seconds": 60})


async def _new_replay(shop: Shop) -> Attempt:
    return Attempt(path={"webhook_id": Ours("webhook", await shop.webhook())}, body={"only": "failed"})


async def _replay(shop: Shop) -> Attempt:
    webhook, replay = await shop.replay()
    return Attempt(path={"webhook_id": Ours("webhook", webhook), "replay_id": Ours("replay", replay)})


async def _paused_replay(shop: Shop) -> Attempt:
    webhook, replay = await shop.replay()
    await shop.make(f"/webhooks/{webhook}/replays/{replay}/pause")
    return Attempt(path={"webhook_id": Ours("webhook", webhook), "replay_id": Ours("replay", replay)})


def _place(shop: Shop) -> dict[str, Ours]:
    return {"marketplace": Ours("marketplace", shop.marketplace), "mode": Ours("mode", shop.mode)}


async def _new_key(shop: Shop) -> Attempt:
    return Attempt(body={"name": shop.mark, "scopes": ["support"], **_place(shop)})


async def _some_key(shop: Shop) -> Attempt:
    return Attempt(path={"key_id": Ours("key", (await shop.key(scopes=["support"]))["id"])}, query=_place(shop))


async def _keys(shop: Shop) -> Attempt:
    return Attempt(query={"cursor": Ours("key", shop.sample["key"]), **_place(shop)})


async def _plain(_: Shop) -> Attempt:
    return Attempt()


async def _pause(_: Shop) -> Attempt:
    return Attempt(body={"message": "For a moment"}, undo="/admin/maintenance/disable")


async def _error(_: Shop) -> Attempt:
    return Attempt(path={"code": "UNAUTHORIZED"})


CHANGE = {"amount": "1.00", "currency": "USD"}
RECIPES: dict[str, Recipe] = {
    "create_user": _new_user,
    "list_users": _listed(cursor="user"),
    "get_user": _sampled(user_id="user"),
    "update_user": _on_user({"metadata": {"seen": True}}),
    "get_balance": _sampled(user_id="user"),
    "credit_balance": _on_user(CHANGE),
    "debit_balance": _on_user(CHANGE),
    "list_entries": _listed({"user_id": "user"}, cursor="entry"),
    "get_wallet": _sampled(user_id="user"),
    "get_deposit_address": _sampled(user_id="user"),
    "list_wallet_transactions": _listed({"user_id": "user"}, cursor="withdrawal"),
    "create_withdrawal": _new_withdrawal,
    "list_withdrawals": _listed(cursor="withdrawal", user_id="user"),
    "get_withdrawal": _sampled(withdrawal_id="withdrawal"),
    "enrol_second_factor": _enrolled,
    "get_second_factor": _enrolled,
    "confirm_second_factor": _confirmation,
    "remove_second_factor": _enrolled,
    "approve_withdrawal": _unapproved_withdrawal,
    "cancel_withdrawal": _on_withdrawal({"reason": "A second thought"}),
    "refresh_withdrawal": _on_withdrawal(),
    "create_order": _new_order,
    "list_orders": _listed(cursor="order", buyer_id="user", seller_id="seller", user_id="user"),
    "get_order": _sampled(order_id="order"),
    "reserve_order": _step("ORDER_CREATED", {"amount": "10.00"}),
    "cancel_order": _step("ORDER_CREATED", {"reason": "No longer wanted"}),
    "list_milestones": _sampled(order_id="order"),
    "complete_milestone": _complete,
    "create_escrow": _step("FUNDS_RESERVED", {"amount": "10.00", "currency": "USD"}),
    "fund_escrow": _step("ESCROW_FUNDING"),
    "get_escrow": _sampled(order_id="order"),
    "release_order": _settle,
    "refund_order": _refund,
    "open_dispute": _dispute,
    "list_disputes": _listed(cursor="dispute", order_id="order", user_id="user"),
    "get_dispute": _sampled(dispute_id="dispute"),
    "list_comments": _sampled(dispute_id="dispute"),
    "comment_dispute": _comment,
    "assign_dispute": _on_dispute({"assigned_to": "an agent"}),
    "resolve_dispute": _on_dispute({"decision": "FULL_REFUND"}),
    "create_webhook": _new_webhook,
    "list_webhooks": _listed(cursor="webhook"),
    "get_webhook": _sampled(webhook_id="webhook"),
    "update_webhook": _change_webhook,
    "test_webhook": _test_webhook,
    "rotate_webhook_secret": _rotate_secret,
    "delete_webhook": _delete_webhook,
    "list_deliveries": _listed({"webhook_id": "webhook"}, cursor="delivery"),
    "resend_delivery": _sampled(webhook_id="webhook", delivery_id="delivery"),
    "create_replay": _new_replay,
    "list_replays": _listed({"webhook_id": "webhook"}, cursor="replay"),
    "get_replay": _sampled(webhook_id="webhook", replay_id="replay"),
    "pause_replay": _replay,
    "resume_replay": _paused_replay,
    "cancel_replay": _replay,
    "get_webhook_health": _sampled(webhook_id="webhook"),
    "get_delivery_evidence": _sampled(webhook_id="webhook", delivery_id="delivery"),
    "get_delivery": _sampled(webhook_id="webhook", delivery_id="delivery"),
    "list_events": _plain,
    "get_event": _sampled(event_id="event"),
    "create_api_key": _new_key,
    "list_api_keys": _keys,
    "get_api_key": _some_key,
    "rotate_api_key": _some_key,
    "revoke_api_key": _some_key,
    "get_request": _sampled(request_id="request"),
    "list_audit_logs": _listed(cursor="request", resource_id="order", api_key_id="key"),
    "get_audit_head": _plain,
    "get_me": _plain,
    "get_maintenance": _plain,
    "enable_maintenance": _pause,
    "disable_maintenance": _plain,
    "get_health": _plain,
    "get_detailed_health": _plain,
    "get_config": _plain,
    "list_errors": _plain,
    "get_error": _error,
}
ELSEWHERE = {"list_events": {"cursor", "user_id"}, "list_disputes": {"opened_by"}}
"""By operation: what only the stream takes (tests/integration/gateway/test_stream.py tries these), and a side, which is no id."""
NOT_OURS = {"external_user_id", "code", "ref"}
"""Names that look like ids and are the caller's own, or no shop's at all."""
