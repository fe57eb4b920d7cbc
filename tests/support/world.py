"""Three shops on one platform: two marketplaces, and the test mode of the first. Everything is real and in this process."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
from pydantic import SecretStr

from libs.common.kernel.clock import SystemClock
from libs.common.kernel.ids import Tenant
from services.escrow.app import build as build_escrow
from services.escrow.settings import EscrowSettings
from services.gateway.domain.api_keys import mint
from services.ledger.app import build as build_ledger
from services.payouts.app import build as build_payouts
from services.payouts.settings import PayoutsSettings
from services.webhooks.app import build as build_webhooks
from tests.e2e.market import Market
from tests.support.gateway import Served, gateway_settings, make_key, serving
from tests.support.payouts import PAYOUTS, a_signer
from tests.support.receiver import receiving
from tests.support.second_factors import code_of
from tests.support.webhooks import webhooks_settings
from tests.support.workers import running, settings, until

DESTINATION = {"type": "stellar", "address": "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"}
SCOPES = ("read", "write", "support")
_ROWS = {
    "ledger.users": "*", "ledger.accounts": "*", "escrow.orders": "*", "webhooks.endpoints": "*", "payouts.withdrawals": "*",
    "gateway.api_keys": "tenant, id, name, scopes, allowed_ips, expires_at, replaced_by, retires_at, revoked_at",
}  # fmt: skip


@dataclass
class Shop:
    """One tenant with a key of every kind and a sample of everything it can have."""

    marketplace: str
    mode: str
    served: Served
    hooks: str
    """Where somebody takes deliveries: an endpoint that only fails would be deactivated in the middle of a test."""
    mark: str = field(default_factory=lambda: f"mark{secrets.token_hex(8)}")
    """Stands in every text of this shop: wherever it turns up, something of this shop is shown."""
    keys: dict[str, str] = field(default_factory=dict)
    """By scope, and `full`, `second` (full too), `expired`, `revoked` and `elsewhere`."""
    key_ids: dict[str, str] = field(default_factory=dict)
    """Of those with every scope."""
    sample: dict[str, str] = field(default_factory=dict)
    """An id of each kind, and its marketplace and mode."""

    @property
    def tenant(self) -> Tenant:
        return Tenant(f"{self.marketplace}:{self.mode}")

    @property
    def market(self) -> Market:
        """What its backend does in a few words."""
        return Market(self.served.client, api_key=self.keys["full"], support_key=self.keys["full"])

    async def make(self, path: str, body: Any = None) -> dict[str, Any]:
        return await self.market.make(path, body)

    async def user(self, *, credit: str | None = None) -> str:
        user: str = (await self.make("/users", {"external_user_id": f"{self.mark}-{secrets.token_hex(4)}"}))["id"]
        if credit:
            await self.market.credit(user, credit)
        return user

    async def order(self, status: str = "ORDER_CREATED") -> str:
        """An order of ten between two new users, as far as `status`."""
        buyer, seller = await self.user(credit="10.00"), await self.user()
        milestones = [{"ref": "m1", "title": self.mark, "amount": "10.00"}]
        order = await self.market.order(buyer, seller, title=self.mark, milestones=milestones)
        steps: dict[str, tuple[str, Any]] = {
            "FUNDS_RESERVED": ("reserve", None),
            "ESCROW_FUNDING": ("escrow", {"amount": "10.00", "currency": "USD"}),
            "IN_PROGRESS": ("escrow/fund", None),
            "COMPLETED": ("milestones/m1/complete", None),
            "DISPUTED": ("resolution/dispute", {"opened_by": "BUYER", "description": self.mark}),
        }
        if status != "ORDER_CREATED":
            for reached, (step, body) in steps.items():
                await self.make(f"/orders/{order}/{step}", body)
                if reached == status:
                    break
        return order

    async def dispute(self) -> str:
        """An open dispute."""
        dispute: str = (await self.market.get(f"/orders/{await self.order('DISPUTED')}")).json()["data"]["dispute"]["id"]
        return dispute

    async def withdrawal(self, amount: str = "5.00", *, asked_with: str = "full") -> str:
        """A withdrawal that nothing sends."""
        body = {"user_id": await self.user(credit=amount), "amount": amount, "destination": DESTINATION, "description": self.mark}
        asking = Market(self.served.client, api_key=self.keys[asked_with], support_key=self.keys["full"])
        withdrawal: str = (await asking.make("/withdrawals", body))["id"]
        return withdrawal

    async def second_factor(self) -> str:
        """A code of the sample user's second factor, which is being set up anew."""
        path = f"/users/{self.sample['user']}/second-factor"
        await self.served.client.delete(path, headers={"Authorization": f"Bearer {self.keys['full']}"})
        return code_of((await self.make(path))["secret"])

    async def key(self, **fields: Any) -> dict[str, Any]:
        """A new key of this shop."""
        wanted = {"name": self.mark, "scopes": list(SCOPES), "marketplace": self.marketplace, "mode": self.mode}
        return await make_key(self.served, **(wanted | fields))

    async def webhook(self) -> str:
        """A new endpoint, which takes everything."""
        body = {"url": f"{self.hooks}/{self.mark}", "events": ["webhook.exhausted"], "description": self.mark}
        webhook: str = (await self.make("/webhooks", body))["id"]
        return webhook

    async def delivery(self, webhook: str) -> str:
        """A delivery that is over: the one of a test event."""
        delivery: str = (await self.make(f"/webhooks/{webhook}/test"))["id"]

        async def is_over() -> bool:
            shown = await self.market.get(f"/webhooks/{webhook}/deliveries/{delivery}")
            return shown.status_code == 200 and shown.json()["data"]["state"] == "DELIVERED"

        await until(is_over)
        return delivery

    async def replay(self) -> tuple[str, str]:
        """A new endpoint, and a replay to it that runs for a while."""
        webhook = await self.webhook()
        return webhook, (await self.make(f"/webhooks/{webhook}/replays", {"events": ["*"], "per_second": 1}))["id"]


@dataclass
class World:
    """The gateway, the database as its owner sees it, and the shops."""

    served: Served
    owner: asyncpg.Connection
    shop: Shop
    rival: Shop
    rehearsal: Shop
    """The first marketplace in test mode."""

    async def rows(self, *shops: Shop) -> dict[str, list[str]]:
        """What these shops have, table by table; an account that was opened for a journal which was refused is nothing."""
        tenants = [shop.tenant for shop in shops]
        found = {}
        for table, columns in _ROWS.items():
            used = "AND (version > 0 OR purpose IN ('available', 'reserved'))" if table == "ledger.accounts" else ""
            query = f"SELECT r::text FROM (SELECT {columns} FROM {table} WHERE tenant = ANY($1) {used}) r ORDER BY 1"
            found[table] = [row[0] for row in await self.owner.fetch(query, tenants)]
        return found


@contextlib.asynccontextmanager
async def open_world(postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[World]:
    """Start all services and a gateway on a migrated database, and let three shops set up."""
    config = settings(postgres_url, amqp_url, bus_prefix)
    url = SecretStr(postgres_url)
    escrow = EscrowSettings(database_url=url)  # type: ignore[call-arg]
    webhooks = webhooks_settings(postgres_url, amqp_url, bus_prefix)
    async with contextlib.AsyncExitStack() as stack:
        signer, _ = await stack.enter_async_context(a_signer(postgres_url))
        told = PAYOUTS | {"signer_socket": signer.signer_socket, "second_factor_over": None}
        payouts = PayoutsSettings(database_url=url, **told)
        services = (build_ledger(), build_escrow(escrow), build_payouts(payouts), build_webhooks(webhooks))
        for service in services:
            await stack.enter_async_context(running(service, config))
        served = await stack.enter_async_context(serving(gateway_settings(postgres_url, amqp_url, bus_prefix)))
        await served.gateway.link.wait_up(10)
        owner = await asyncpg.connect(postgres_url)
        stack.push_async_callback(owner.close)
        hooks = (await stack.enter_async_context(receiving())).url
        places = (("shop", "live"), ("rival", "live"), ("shop", "test"))
        shops = [Shop(marketplace, mode, served, hooks) for marketplace, mode in places]
        for shop in shops:
            await _set_up(shop, owner)
        yield World(served, owner, *shops)


async def _set_up(shop: Shop, owner: asyncpg.Connection) -> None:
    for name in ("full", "second", "expired", "revoked"):
        made = await shop.key()
        shop.keys[name], shop.key_ids[name] = made["key"], made["id"]
    for scope in SCOPES:
        shop.keys[scope] = (await shop.key(scopes=[scope]))["key"]
    shop.keys["elsewhere"] = (await shop.key(allowed_ips=["192.0.2.1"]))["key"]
    shop.keys["unknown"] = mint(secrets.token_bytes(8), "cmd_1", "live")
    for name, column in (("expired", "expires_at"), ("revoked", "revoked_at")):
        past = SystemClock().now() - timedelta(seconds=1)
        await owner.execute(f"UPDATE gateway.api_keys SET {column} = $1 WHERE id = $2", past, shop.key_ids[name])
    order = await shop.order("DISPUTED")
    shown = (await shop.market.get(f"/orders/{order}")).json()["data"]
    buyer = shown["buyer_id"]
    history = (await shop.market.get(f"/users/{buyer}/ledger?limit=1")).json()
    shop.sample = {
        "user": buyer,
        "seller": shown["seller_id"],
        "order": order,
        "dispute": shown["dispute"]["id"],
        "webhook": await shop.webhook(),
        "withdrawal": await shop.withdrawal(),
        "key": (await shop.key())["id"],
        "entry": history["pagination"]["next_cursor"],
        "request": (await until(lambda: _audited(shop)))[-1]["id"],
        "delivery": "",
        "marketplace": shop.marketplace,
        "mode": shop.mode,
    }
    await until(lambda: _has_wallet(shop, buyer))
    shop.sample["delivery"] = await shop.delivery(shop.sample["webhook"])
    shop.sample["event"] = (await shop.market.get("/events?limit=1")).json()["data"][0]["id"]
    shop.sample["replay"] = (await shop.make(f"/webhooks/{shop.sample['webhook']}/replays", {"only": "failed"}))["id"]


async def _audited(shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shop.market.get("/audit/logs")).json()["data"]
    return found


async def _has_wallet(shop: Shop, user: str) -> bool:
    return (await shop.market.get(f"/users/{user}/wallet")).status_code == 200
