"""What is there before the fuzzer comes: people with money, orders in every state, endpoints; and whom it acts as."""

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec

from tests.e2e.market import Market

SCOPES = {"read": ["read"], "write": ["read", "write"], "support": ["read", "write", "support"]}
_STEPS: tuple[tuple[str, Any], ...] = (
    ("reserve", None),
    ("escrow", {"amount": "10.00", "currency": "USD"}),
    ("escrow/fund", None),
    ("milestones/m1/complete", None),
    ("resolution/dispute", {"opened_by": "BUYER"}),
)


@dataclass(frozen=True)
class Stage:
    """A key to fuzz with, and ids that exist, by the names of the fields and parameters that take them."""

    key: str
    own_key_id: str
    ids: dict[str, list[str]]
    answers: Path
    """Where to leave the counts of answers."""

    def save(self, path: Path) -> None:
        """Write it down for the process that fuzzes."""
        path.write_bytes(msgspec.json.encode(asdict(self) | {"answers": str(self.answers)}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it."""
        kept = msgspec.json.decode(path.read_bytes())
        return cls(kept["key"], kept["own_key_id"], kept["ids"], Path(kept["answers"]))


async def set_up(client: httpx.AsyncClient, *, scope: str, master_key: str, answers: Path, orders_each: int = 4) -> Stage:
    """Found a marketplace of its own, with enough of everything for requests to find something in every state."""
    operator = Market(client, api_key=master_key, support_key=master_key)
    place = {"marketplace": f"fuzz-{scope}-{secrets.token_hex(4)}"}
    own = await operator.make("/auth/api-keys", {"name": "the fuzzer", "scopes": SCOPES[scope], **place})
    full = (await operator.make("/auth/api-keys", {"name": "the stage", "scopes": SCOPES["support"], **place}))["key"]
    market = Market(client, api_key=full, support_key=full)
    buyers = [await market.user(credit="1000.00") for _ in range(3)]
    sellers = [await market.user() for _ in range(3)]
    orders: list[str] = []
    for reached in range(len(_STEPS) + 1):
        for number in range(orders_each):
            milestones = [{"ref": "m1", "title": "All of it", "amount": "10.00"}]
            order = await market.order(buyers[number % 3], sellers[number % 3], milestones=milestones)
            for step, body in _STEPS[:reached]:
                await market.make(f"/orders/{order}/{step}", body)
            orders.append(order)
    disputes = (await market.get("/disputes", params={"limit": "100"})).json()["data"]
    webhook = {"url": "http://127.0.0.1:9/", "events": ["order.*"]}
    webhooks = [(await market.make("/webhooks", webhook))["id"] for _ in range(3)]
    keys = [await market.make("/auth/api-keys", {"name": "prey", "scopes": ["read"]}) for _ in range(8)]
    ids = {
        "user_id": buyers + sellers,
        "buyer_id": buyers,
        "seller_id": sellers,
        "order_id": orders,
        "dispute_id": [dispute["id"] for dispute in disputes],
        "webhook_id": webhooks,
        "key_id": [key["id"] for key in keys],
        "ref": ["m1"],
        "code": ["INSUFFICIENT_FUNDS", "VALIDATION_ERROR"],
    }
    return Stage(own["key"], own["id"], ids, answers)
