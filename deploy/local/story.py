"""A whole marketplace story over HTTP: from a deposit through escrow to a withdrawal, with a signed webhook received."""

import asyncio
import hashlib
import hmac
import os
import sys
import time
from typing import Any, Final

import httpx
from standardwebhooks.webhooks import Webhook

from deploy.local.receiver import Receiver
from deploy.local.story_chain import Network, NetworkError

SECRET: Final = "the-demo-marketplace-secret"  # noqa: S105 - the story's own, told aloud
DEADLINE_SECONDS: Final = 20.0
_CHANGES: Final = 8
"""What the story does with its order, the refused release included."""


class StoryError(Exception):
    """The story took a turn it should not have."""


class Teller:
    """Says each step with its time, and stops the story where the API says anything unexpected."""

    def __init__(self, api: httpx.AsyncClient, support: httpx.AsyncClient) -> None:
        """Tell what these two clients do: the marketplace's backend, and its support desk."""
        self._clients = {"api": api, "support": support}
        self._started = time.monotonic()
        self.count = 0

    def say(self, text: str) -> None:
        """Print one line of the story."""
        sys.stdout.write(f"  {time.monotonic() - self._started:5.2f}s  {text}\n")
        sys.stdout.flush()

    async def post(self, path: str, body: dict[str, Any] | None = None, *, who: str = "api", expect: int = 200) -> Any:  # noqa: ANN401
        """POST and return `data`.

        Raises:
            StoryError: another status came back.
        """
        self.count += 1
        headers = {"Idempotency-Key": f"story-{os.getpid()}-{self.count}"}
        return self._data(await self._clients[who].post(path, json=body, headers=headers), expect)

    async def get(self, path: str) -> Any:  # noqa: ANN401
        """GET and return `data`."""
        return self._data(await self._clients["api"].get(path), 200)

    @staticmethod
    def _data(answer: httpx.Response, expect: int) -> Any:  # noqa: ANN401
        if answer.status_code != expect:
            raise StoryError(f"{answer.request.method} {answer.request.url.path} → {answer.status_code}: {answer.text}")
        return answer.json()["data"]


async def _usd(tell: Teller, user_id: str) -> dict[str, Any]:
    lines: list[dict[str, Any]] = (await tell.get(f"/users/{user_id}/balance"))["balances"]
    nothing = {"currency": "USD", "available": "0.00", "held": "0.00"}
    return next((line for line in lines if line["currency"] == "USD"), nothing)


async def _balances(tell: Teller, people: dict[str, str]) -> None:
    for name, user_id in people.items():
        usd = await _usd(tell, user_id)
        tell.say(f"       {name:<6} available {usd['available']:>8}   held {usd['held']:>8}")


async def _wallet(tell: Teller, user_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            wallet: dict[str, Any] = await tell.get(f"/users/{user_id}/wallet/deposit")
        except StoryError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            return wallet


async def _records(tell: Teller, order_id: str) -> list[dict[str, Any]]:
    """Read the audit log of the order; records are completed right after the answers they tell of."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        records: list[dict[str, Any]] = await tell.get(f"/audit/logs?resource_id={order_id}")
        if len(records) == _CHANGES:
            return records
        if time.monotonic() > deadline:
            raise StoryError(f"{len(records)} changes of the order are on record, not {_CHANGES}")
        await asyncio.sleep(0.05)


def _verify(delivery: tuple[dict[str, str], bytes], signing_key: str) -> str:
    headers, body = delivery
    Webhook(signing_key).verify(body.decode(), headers)  # raises when the signature is not ours
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(headers["x-offerhub-signature"], expected):
        raise StoryError("X-OfferHub-Signature does not match the body")
    return expected


async def _money_comes_in(tell: Teller, network: Network | None, buyer_id: str, address: str, nonce: str) -> None:
    if network is None:
        terms = {"amount": "250.00", "currency": "USD", "reference": f"demo-{nonce}"}
        await tell.post(f"/users/{buyer_id}/balance/credit", terms, who="support")
        tell.say("Support credits the buyer with 250.00 USD")
        return
    paid = await network.pay_in(address, "250.00")
    tell.say(f"The buyer pays 250.00 USDC in, on the Stellar network: {paid[:16]}…")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (await _usd(tell, buyer_id))["available"] != "250.00":
        if time.monotonic() > deadline:
            raise StoryError("the deposit is not credited")
        await asyncio.sleep(0.05)
    tell.say("… and it is credited")


async def _money_goes_out(tell: Teller, network: Network, seller_id: str, elsewhere: str) -> None:
    body = {"user_id": seller_id, "amount": "60.00", "currency": "USD", "destination": {"type": "stellar", "address": elsewhere}}
    made = await tell.post("/withdrawals", body, expect=201)
    tell.say(f"The seller withdraws 60.00 as {made['id']} to {elsewhere[:12]}…: {made['status']}")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (made := await tell.get(f"/withdrawals/{made['id']}"))["status"] != "COMPLETED":
        if made["status"] in ("FAILED", "CANCELED") or time.monotonic() > deadline:
            raise StoryError(f"the withdrawal is {made['status']}")
        await asyncio.sleep(0.1)
    paid = made["transaction"]["hash"]
    tell.say(f"{made['status']} by transaction {paid}")
    if ("60.0000000", elsewhere) not in [(amount, to) for to, amount in await network.payments_of(paid)]:
        raise StoryError(f"the network's transaction {paid} does not pay 60.00 to {elsewhere}")
    tell.say("       the network itself shows it under that hash: 60.0000000 USDC to the same address")


async def tell_story(tell: Teller, receiver: Receiver, network: Network | None) -> None:
    """Play the story and check every turn of it."""
    stranger = asyncio.ensure_future(network.somebody()) if network else None
    endpoint = await tell.post(
        "/webhooks", {"url": receiver.url, "events": ["escrow.*", "order.closed"], "secret": SECRET}, expect=201
    )
    tell.say(f"The marketplace listens: endpoint {endpoint['id']} for escrow.* and order.closed at {receiver.url}")
    nonce = f"{os.getpid()}-{time.monotonic_ns()}"
    buyer = await tell.post("/users", {"external_user_id": f"ana-{nonce}", "type": "BUYER"}, expect=201)
    seller = await tell.post("/users", {"external_user_id": f"ben-{nonce}", "type": "SELLER"}, expect=201)
    people = {"buyer": buyer["id"], "seller": seller["id"]}
    tell.say(f"Two people sign up: buyer {buyer['id']}, seller {seller['id']}")
    wallet = await _wallet(tell, buyer["id"])
    tell.say(f"Each gets a deposit wallet of their own; the buyer's is {wallet['address']}")
    await _money_comes_in(tell, network, buyer["id"], wallet["address"], nonce)
    await _balances(tell, people)
    order = await tell.post(
        "/orders",
        {
            "buyer_id": buyer["id"],
            "seller_id": seller["id"],
            "amount": "100.00",
            "currency": "USD",
            "title": "A logo in two drafts",
            "milestones": [
                {"ref": "draft", "title": "Draft", "amount": "40.00"},
                {"ref": "final", "title": "Final", "amount": "60.00"},
            ],
        },
        expect=201,
    )
    path = f"/orders/{order['id']}"
    tell.say(f"They agree on order {order['id']} for 100.00 USD in two milestones: {order['status']}")
    tell.say(f"The buyer's money is reserved: {(await tell.post(f'{path}/reserve'))['status']}")
    escrow = await tell.post(f"{path}/escrow", {"amount": "100.00", "currency": "USD"}, expect=201)
    tell.say(f"Escrow {escrow['escrow_id']} opens: {escrow['status']}")
    tell.say(f"… and is funded: {(await tell.post(f'{path}/escrow/fund'))['status']}")
    await _balances(tell, people)
    early = await tell._clients["api"].post(f"{path}/resolution/release")  # noqa: SLF001 - the story looks at a refusal whole
    error = early.json()["error"]
    tell.say(
        f"Too early to release: {early.status_code} {error['code']}, open milestones {error['details']['incomplete_milestones']}"
    )
    for ref in ("draft", "final"):
        await tell.post(f"{path}/milestones/{ref}/complete")
    tell.say("The seller delivers both milestones")
    released = await tell.post(f"{path}/resolution/release")
    tell.say(
        f"Released: {released['released_amount']} to the seller, fee {released['platform_fee']}, at {released['released_at']}"
    )
    await _balances(tell, people)
    delivery = await receiver.wait_for("escrow.released", seconds=DEADLINE_SECONDS)
    signature = _verify(delivery, endpoint["signing_key"])
    tell.say(f"The webhook escrow.released arrives as {delivery[0]['webhook-id']}")
    tell.say(f"       its signature verifies, both ways: {signature[:31]}… and {delivery[0]['webhook-signature'][:20]}…")
    final = await tell.get(path)
    if (final["status"], final["final_status"]) != ("CLOSED", "RELEASED"):
        raise StoryError(f"the order ended {final['status']} {final['final_status']}")
    tell.say(f"Order {order['id']} is {final['status']}, {final['final_status']}")
    if network is not None and stranger is not None:
        await _money_goes_out(tell, network, seller["id"], await stranger)
        await _balances(tell, people)
    records = await _records(tell, order["id"])
    tell.say("Everything is on record:")
    for record in reversed(records):
        before = "" if record["before"] is None else f", it was {record['before']['status']}"
        tell.say(f"       {record['action']:<18} {record['result']:<7} {record['status']}{before}")
    head = await tell.get("/audit/head")
    tell.say(f"       sealed by a chain of {head['position']} batches, head {head['hash'][:16]}…")


def _client(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=15.0)


async def main() -> int:
    """Tell the story against the stack that the environment names; 0 when it ended well."""
    url = os.environ["OFFERHUB_API_URL"]
    api, support = _client(url, os.environ["OFFERHUB_API_KEY"]), _client(url, os.environ["OFFERHUB_SUPPORT_KEY"])
    async with api, support, Receiver() as receiver:
        tell = Teller(api, support)
        sys.stdout.write(f"\nA marketplace story, over {url}\n\n")
        try:
            await tell_story(tell, receiver, Network.of_environment())
        except (StoryError, NetworkError, httpx.HTTPError, TimeoutError) as error:
            sys.stdout.write(f"\nThe story broke off: {error}\n")
            return 1
        tell.say(f"The end: {tell.count} requests changed the world, {len(receiver.deliveries)} webhooks told of it.")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
