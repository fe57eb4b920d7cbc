"""Bad input gets a clear error that names the field, changes nothing, and is never our fault (5xx)."""

import json
from typing import Any

import asyncpg
import pytest

from tests.e2e.market import Market

pytestmark = pytest.mark.e2e

NESTED: Any = None
for _ in range(200):
    NESTED = {"a": NESTED}


def _good(market_users: tuple[str, str]) -> dict[str, Any]:
    buyer, seller = market_users
    return {"buyer_id": buyer, "seller_id": seller, "amount": "10.00", "currency": "USD", "title": "A thing"}


@pytest.fixture
async def users(market: Market) -> tuple[str, str]:
    return await market.user(credit="10.00"), await market.user()


@pytest.mark.parametrize(
    "amount",
    [
        *(
            "0",
            "0.00",
            "-1",
            "+1.00",
            "1e3",
            "NaN",
            "Infinity",
            "\uff11\uff12",
            " 1",
            "1,00",
            "1" * 40,
            "0.00000001",
            "0x10",
            "1.00\n",
        ),
        *("", 1, 1.5, True, None, [], {}),
    ],
)
async def test_an_amount_that_is_no_plain_positive_decimal_string_is_refused(
    market: Market, users: tuple[str, str], amount: Any
) -> None:
    answer = await market.post("/orders", _good(users) | {"amount": amount})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert [field["field"] for field in error["details"]["fields"]] == ["amount"]
    assert error["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"status": "CLOSED"}, "status"),
        ({"id": "ord_mine"}, "id"),
        ({"title": 7}, "title"),
        ({"title": ""}, "title"),
        ({"currency": "EUR"}, "currency"),
        ({"metadata": "text"}, "metadata"),
        ({"milestones": "none"}, "milestones"),
        ({"buyer_id": None}, "buyer_id"),
    ],
)
async def test_a_wrong_or_unknown_field_is_named(
    market: Market, users: tuple[str, str], change: dict[str, Any], field: str
) -> None:
    answer = await market.post("/orders", _good(users) | change)
    assert answer.status_code == 400
    assert field in json.dumps(answer.json()["error"]["details"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nonsense", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"null", 400),
        (b'{"title": "\xff\xfe"}', 400),
        (b'{"title": "a", "title": "b"}', 400),
        (b'{"title": "\\ud800"}', 400),
        (b'{"title": "\\u0000"}', 400),
        (b"\xef\xbb\xbf{}", 400),
        (json.dumps(NESTED).encode(), 400),
        (b"[" * 100_000, 400),
        (b'{"title": "' + b"x" * 10_000_000 + b'"}', 413),
    ],
    ids=["empty", "nonsense", "list", "text", "null", "not utf-8", "twice", "surrogate", "nul", "bom", "nested", "deep", "10 MB"],
)
async def test_a_body_that_is_no_sound_json_object_is_refused(market: Market, body: bytes, status: int) -> None:
    answer = await market.post("/orders", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"]


async def test_a_body_of_another_type_is_refused(market: Market) -> None:
    answer = await market.post("/orders", content=b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer nonsense", 401),
        ("Basic b2hrOng=", 401),
        ("Bearer ohk_live_" + "x" * 40, 401),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/orders"), ("GET", "/orders"), ("GET", "/users/usr_1/balance")])
async def test_who_asks_is_checked_before_what_is_asked(
    market: Market, method: str, path: str, authorization: str | None, status: int
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await market.client.request(method, path, headers=headers | {"Content-Type": "application/json"}, content=b"{broken")
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"


async def test_a_key_without_the_scope_is_refused_before_the_body_is_read(market: Market, stack: dict[str, str]) -> None:
    made = await market.make("/auth/api-keys", {"name": "reader", "scopes": ["read"]}, key=stack["OFFERHUB_MASTER_KEY"])
    answer = await market.post("/orders", content=b"{broken", headers={"Content-Type": "application/json"}, key=made["key"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert (await market.get("/orders", key=made["key"])).status_code == 200


@pytest.mark.parametrize("order_id", ["ord_unknown", "nonsense", "usr_1", "ord_%00", "ord_" + "a" * 500, "..%2f..%2fetc"])
@pytest.mark.parametrize(
    ("method", "action"), [("GET", ""), ("POST", "/reserve"), ("POST", "/resolution/release"), ("POST", "/cancel")]
)
async def test_an_unknown_or_malformed_id_is_not_found(market: Market, order_id: str, method: str, action: str) -> None:
    answer = await market.call(method, f"/orders/{order_id}{action}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in ("ORDER_NOT_FOUND", "NOT_FOUND")


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("/escrow", {"amount": "10.00", "currency": "USD"}),
        ("/escrow/fund", None),
        ("/resolution/release", None),
        ("/resolution/refund", None),
        ("/resolution/dispute", {"opened_by": "BUYER"}),
    ],
)
async def test_an_action_in_the_wrong_state_says_what_the_state_is(
    market: Market, users: tuple[str, str], action: str, body: Any
) -> None:
    order = await market.order(*users)
    answer = await market.post(f"/orders/{order}{action}", body)
    assert answer.status_code in (404, 409)
    if answer.status_code == 409:
        assert answer.json()["error"]["details"]["current_state"] == "ORDER_CREATED"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=%27%3B--",
        "status=NOPE",
        "created_after=yesterday",
        "colour=red",
        "limit=1&limit=2",
    ],
)
async def test_a_list_is_asked_strictly(market: Market, query: str) -> None:
    answer = await market.get(f"/orders?{query}")
    assert answer.status_code == 400
    assert query.split("=", 1)[0] in json.dumps(answer.json()["error"])


async def test_nothing_of_all_that_changed_anything(market: Market, users: tuple[str, str], database: asyncpg.Connection) -> None:
    for body in ({"amount": "0"}, {"title": ""}, {"currency": "EUR"}, {"colour": 1}, {"seller_id": users[0]}):
        answer = await market.post("/orders", _good(users) | body)
        assert answer.status_code == 400, answer.text
    assert await database.fetchval("SELECT count(*) FROM escrow.orders WHERE buyer_id = $1", users[0]) == 0
    assert await market.balance(users[0]) == ("10.00", "0.00")
