"""What users who are not active can still do: the table in the ledger's README, call by call, over HTTP."""

import itertools
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.e2e.market import Market
from tests.support.second_factors import code_of
from tests.support.workers import until

pytestmark = pytest.mark.e2e

README = Path(__file__).parents[2] / "services" / "ledger" / "README.md"
AMOUNT = "10.00"


def _table() -> dict[str, tuple[str, str]]:
    """The README's table: call → what becomes of it when the buyer, and when the seller, is not active."""
    text = README.read_text().partition("<!-- table: inactive -->")[2].strip()
    lines = list(itertools.takewhile(lambda line: line.startswith("|"), text.splitlines()))[2:]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    return {call: (buyer, seller) for call, buyer, seller in rows}


@dataclass(frozen=True)
class Deal:
    """An order with its parties, and which of them is not active."""

    order_id: str
    parties: dict[str, str]
    inactive: str

    def path(self, template: str) -> str:
        """Fill a path's parameters in."""
        dispute_id = self.order_id.replace("ord_", "dsp_")
        return template.format(order_id=self.order_id, dispute_id=dispute_id, user_id=self.inactive, ref="m1")


STAGES = ("ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING", "IN_PROGRESS", "DISPUTED")
HOLD = {"amount": AMOUNT, "currency": "USD"}
CALLS: dict[str, tuple[str, Any]] = {
    "POST /orders/{order_id}/reserve": ("ORDER_CREATED", None),
    "POST /orders/{order_id}/escrow": ("FUNDS_RESERVED", HOLD),
    "POST /orders/{order_id}/escrow/fund": ("ESCROW_FUNDING", None),
    "POST /orders/{order_id}/milestones/{ref}/complete": ("IN_PROGRESS", None),
    "POST /orders/{order_id}/cancel": ("ESCROW_FUNDING", None),
    "POST /orders/{order_id}/resolution/release": ("IN_PROGRESS", None),
    "POST /orders/{order_id}/resolution/refund": ("IN_PROGRESS", None),
    "POST /orders/{order_id}/resolution/dispute": ("IN_PROGRESS", {"opened_by": "BUYER"}),
    "POST /disputes/{dispute_id}/comments": ("DISPUTED", {"message": "It never came"}),
    "POST /disputes/{dispute_id}/assign": ("DISPUTED", {"assigned_to": "agent_1"}),
    "POST /disputes/{dispute_id}/resolve": ("DISPUTED", {"decision": "FULL_RELEASE"}),
    "POST /users/{user_id}/balance/credit": ("ORDER_CREATED", {"amount": "3.00", "currency": "USD"}),
    "POST /users/{user_id}/balance/debit": ("ORDER_CREATED", {"amount": "1.00", "currency": "USD"}),
    "PATCH /users/{user_id}": ("ORDER_CREATED", {"email": "new@x.io"}),
}
"""Call → the stage its order must have reached, and its body."""
FACTOR = "/users/{user_id}/second-factor"


async def _brought_to(market: Market, stage: str, *, is_done: bool) -> tuple[str, dict[str, str]]:
    parties = {"buyer": await market.user(credit=AMOUNT), "seller": await market.user(credit="1.00")}
    milestones = [{"ref": "m1", "title": "All of it", "amount": AMOUNT}]
    order_id = await market.order(parties["buyer"], parties["seller"], AMOUNT, milestones=milestones)
    steps: dict[str, tuple[str, Any]] = {
        "FUNDS_RESERVED": (f"/orders/{order_id}/reserve", None),
        "ESCROW_FUNDING": (f"/orders/{order_id}/escrow", HOLD),
        "IN_PROGRESS": (f"/orders/{order_id}/escrow/fund", None),
        "DISPUTED": (f"/orders/{order_id}/resolution/dispute", {"opened_by": "BUYER"}),
    }
    for reached in STAGES[1 : STAGES.index(stage) + 1]:
        await market.make(*steps[reached])
        if reached == "IN_PROGRESS" and is_done:
            await market.make(f"/orders/{order_id}/milestones/m1/complete")
    return order_id, parties


async def _suspended(market: Market, user_id: str, status: str = "SUSPENDED") -> None:
    answer = await market.call("PATCH", f"/users/{user_id}", {"status": status, "reason": "a test"}, key=market.support_key)
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, status)


async def _escrow_has_heard(database: asyncpg.Connection, user_id: str, status: str = "SUSPENDED") -> None:
    async def it_has() -> bool:
        heard = await database.fetchval("SELECT status FROM escrow.parties WHERE user_id = $1", user_id)
        return bool(heard == status)

    await until(it_has)


async def _has_a_wallet(market: Market, user_id: str) -> None:
    async def it_has() -> bool:
        return (await market.get(f"/users/{user_id}/wallet")).status_code == 200

    await until(it_has)


async def _all_money_comes_out(market: Market, deal: Deal) -> None:
    """End the order while its party is still not active; whatever was held is somebody's to spend."""
    order = (await market.get(f"/orders/{deal.order_id}")).json()["data"]
    if order["status"] == "DISPUTED":
        await market.make(deal.path("/disputes/{dispute_id}/resolve"), {"decision": "FULL_REFUND"}, key=market.support_key)
    elif order["status"] == "IN_PROGRESS":
        await market.make(deal.path("/orders/{order_id}/resolution/refund"))
    elif order["status"] != "CLOSED":
        await market.make(deal.path("/orders/{order_id}/cancel"))
    for user_id in deal.parties.values():
        assert (await market.balance(user_id))[1] == "0.00"


def _is(answer: httpx.Response, expected: str, user_id: str) -> None:
    if expected == "works":
        assert answer.status_code in (200, 201), answer.text
        return
    error = answer.json()["error"]
    assert (expected, answer.status_code, error["code"]) == ("refused", 403, "USER_INACTIVE"), answer.text
    assert (error["details"]["user_id"], error["retryable"]) == (user_id, False)


@pytest.mark.parametrize("role", ["buyer", "seller"])
@pytest.mark.parametrize("call", CALLS)
async def test_each_call_works_or_is_refused_as_the_table_says(market: Market, call: str, role: str) -> None:
    stage, body = CALLS[call]
    order_id, parties = await _brought_to(market, stage, is_done="complete" not in call)
    deal = Deal(order_id, parties, parties[role])
    await _suspended(market, deal.inactive)
    method, template = call.split(" ")
    answer = await market.call(method, deal.path(template), body, key=market.support_key)
    _is(answer, _table()[call][role == "seller"], deal.inactive)
    await _all_money_comes_out(market, deal)


@pytest.mark.parametrize("role", ["buyer", "seller"])
async def test_no_order_is_made_with_a_user_who_is_not_active(market: Market, database: asyncpg.Connection, role: str) -> None:
    parties = {"buyer": await market.user(), "seller": await market.user()}
    body = {"buyer_id": parties["buyer"], "seller_id": parties["seller"], "amount": AMOUNT, "title": "A thing"}
    await market.make("/orders", body)
    await _suspended(market, parties[role])
    await _escrow_has_heard(database, parties[role])
    answer = await market.post("/orders", body)
    _is(answer, _table()["POST /orders"][role == "seller"], parties[role])
    assert answer.json()["error"]["details"]["field"] == f"{role}_id"


async def test_whoever_is_activated_trades_at_once(market: Market, database: asyncpg.Connection) -> None:
    buyer, seller = await market.user(credit="100.00"), await market.user()
    for _ in range(5):
        await _suspended(market, buyer)
        await _escrow_has_heard(database, buyer)
        await _suspended(market, buyer, "ACTIVE")
        order_id = await market.order(buyer, seller)
        await market.make(f"/orders/{order_id}/reserve")


async def test_everything_of_a_suspended_user_can_be_read(market: Market) -> None:
    order_id, parties = await _brought_to(market, "DISPUTED", is_done=True)
    deal = Deal(order_id, parties, parties["seller"])
    await _has_a_wallet(market, deal.inactive)
    await market.make(deal.path(FACTOR))
    await _suspended(market, deal.inactive)
    paths = (await market.get("/openapi.json")).json()["paths"]
    read = [path.removeprefix("/api/v1") for path, operations in paths.items() if "get" in operations]
    for template in read:
        if set(re.findall(r"{(\w+)}", template)) <= {"user_id", "order_id", "dispute_id"} and template.count("{"):
            _is(await market.get(deal.path(template)), _table()["GET"][1], deal.inactive)
    for listed in (f"/orders?user_id={deal.inactive}", f"/disputes?user_id={deal.inactive}", "/users?status=SUSPENDED"):
        assert (await market.get(listed)).json()["data"], listed


async def test_a_suspended_user_can_be_given_a_second_factor(market: Market) -> None:
    user_id = await market.user()
    await _has_a_wallet(market, user_id)
    await _suspended(market, user_id)
    path = FACTOR.format(user_id=user_id)
    secret = (await market.make(path))["secret"]
    await market.make(f"{path}/confirm", {"code": code_of(secret)})
    removed = await market.call("DELETE", path, key=market.support_key)
    assert removed.status_code == 200, removed.text
    assert {cell for call, cells in _table().items() if FACTOR in call for cell in cells} == {"works"}


async def test_a_known_external_id_gives_back_a_suspended_user(market: Market) -> None:
    external = secrets.token_hex(8)
    made = await market.make("/users", {"external_user_id": external})
    await _suspended(market, made["id"])
    again = await market.post("/users", {"external_user_id": external})
    assert (again.status_code, again.json()["data"]["id"], again.json()["data"]["status"]) == (200, made["id"], "SUSPENDED")


async def test_the_table_misses_no_call_that_concerns_a_user(market: Market) -> None:
    paths = (await market.get("/openapi.json")).json()["paths"]
    concerned = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, operations in paths.items()
        for method in operations
        if method != "get" and re.match(r"/api/v1/(users|orders|disputes)", path)
    }
    assert set(_table()) == concerned | {"GET"}
    assert set(CALLS) == {call for call in concerned if FACTOR not in call} - {"POST /orders", "POST /users"}
