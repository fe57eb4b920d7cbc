"""A marketplace's backend in a few words: what the stories do, they do through this."""

import secrets
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Market:
    """Speaks HTTP with the marketplace's key, or with the support desk's."""

    client: httpx.AsyncClient
    api_key: str
    support_key: str
    horizon_url: str = ""
    """Of the sandbox network, for stories in which something happens there."""

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        **others: Any,
    ) -> httpx.Response:
        """Make one request and return the answer, whatever it is."""
        headers = {"Authorization": f"Bearer {key or self.api_key}"} | others.pop("headers", {})
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        if body is not None:
            others["json"] = body
        return await self.client.request(method, path, headers=headers, **others)

    async def post(self, path: str, body: Any = None, **others: Any) -> httpx.Response:
        """POST, with a fresh Idempotency-Key unless one is given."""
        others.setdefault("idempotency_key", secrets.token_hex(16))
        return await self.call("POST", path, body, **others)

    async def get(self, path: str, **others: Any) -> httpx.Response:
        """GET."""
        return await self.call("GET", path, **others)

    async def make(self, path: str, body: Any = None, **others: Any) -> dict[str, Any]:
        """POST and return the data of what must succeed."""
        answer = await self.post(path, body, **others)
        assert answer.status_code in (200, 201), f"{path}: {answer.status_code} {answer.text}"
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def user(self, *, credit: str | None = None) -> str:
        """Sign a user up, with some money if wanted."""
        user_id: str = (await self.make("/users", {"external_user_id": secrets.token_hex(8)}))["id"]
        if credit is not None:
            await self.credit(user_id, credit)
        return user_id

    async def credit(self, user_id: str, amount: str) -> None:
        """Bring money in."""
        body = {"amount": amount, "currency": "USD", "reference": secrets.token_hex(8)}
        await self.make(f"/users/{user_id}/balance/credit", body, key=self.support_key)

    async def order(self, buyer: str, seller: str, amount: str = "10.00", **others: Any) -> str:
        """Agree on a sale."""
        body = {"buyer_id": buyer, "seller_id": seller, "amount": amount, "currency": "USD", "title": "A thing"} | others
        order_id: str = (await self.make("/orders", body))["id"]
        return order_id

    async def funded(self, buyer: str, seller: str, amount: str = "10.00", **others: Any) -> str:
        """Bring an order as far as money in escrow."""
        order_id = await self.order(buyer, seller, amount, **others)
        await self.make(f"/orders/{order_id}/reserve")
        await self.make(f"/orders/{order_id}/escrow", {"amount": amount, "currency": "USD"})
        await self.make(f"/orders/{order_id}/escrow/fund")
        return order_id

    async def balance(self, user_id: str) -> tuple[str, str]:
        """Return what a user has in USD: (available, held)."""
        lines = (await self.get(f"/users/{user_id}/balance")).json()["data"]["balances"]
        line = next(line for line in lines if line["currency"] == "USD")
        return line["available"], line["held"]
