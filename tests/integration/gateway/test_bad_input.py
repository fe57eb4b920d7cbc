import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.kernel.errors import Refusal
from services.gateway.entrypoints.http import bodies
from tests.support.gateway import MASTER_KEY, FakeServices, Served, error_of, fields_of
from tests.support.raw import request, wire

pytestmark = pytest.mark.integration
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}
DEEP = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
KEY = f"Bearer {MASTER_KEY}"
TEN_MB = b'{"title": "' + b"x" * (10 * 1024 * 1024) + b'"}'


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer nonsense", "Basic abc", "Bearer ohk_live_" + "0" * 49, "bearer \xff"])
async def test_the_key_is_checked_before_the_body(served: Served, services: FakeServices, key: str) -> None:
    headers = [(b"Authorization", key.encode("latin-1"))] if key else []
    served.client.headers.pop("Authorization")
    for body in (b"not json", TEN_MB, b"{}"):
        answer = await served.client.post("/orders", content=body, headers=headers)
        assert answer.status_code == 401, answer.text
        assert error_of(answer)["code"] == "UNAUTHORIZED"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert services.heard == []


async def test_no_key_is_answered_while_the_body_is_still_to_come(served: Served) -> None:
    async with wire(served.port) as line:
        assert (await line.ask(request("POST", "/orders", b"", Content_Length="1000"))).status == 401


async def test_the_scope_is_checked_before_the_body(served: Served, services: FakeServices) -> None:
    made = await served.client.post("/auth/api-keys", json={"name": "reader", "scopes": ["read"]})
    answer = await served.client.post("/orders", content=b"not json", headers=served.keyed(made.json()["data"]["key"]))
    assert answer.status_code == 403
    assert error_of(answer)["details"] == {"required_scope": "write", "current_scopes": ["read"]}


@pytest.mark.parametrize(
    "body",
    [b"not json", b"[]", b'{"title": "\xff"}', b'{"title": "\\u0000"}', b'{"title": "\\ud800"}', DEEP,
     b'{"amount": "1", "amount": "2"}', b"\xef\xbb\xbf{}", b'{"a": NaN}', b'{"metadata": {"n": 1e999}}'],
)  # fmt: skip
async def test_a_body_that_is_no_clean_json_is_400(served: Served, services: FakeServices, body: bytes) -> None:
    answer = await served.client.post("/orders", content=body, headers={"Content-Type": "application/json"})
    assert fields_of(answer) in (["body"], ["amount"])
    assert services.heard == []


async def test_ten_megabytes_are_413_and_not_kept(served: Served, services: FakeServices) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    headers = {"Content-Type": "application/json"}
    await served.client.post("/orders", content=TEN_MB, headers=headers)
    before = resident()
    for _ in range(5):
        answer = await served.client.post("/orders", content=TEN_MB, headers=headers)
        assert answer.status_code == 413
        assert error_of(answer)["code"] == "PAYLOAD_TOO_LARGE"
    assert resident() - before < 20 * 1024 * 1024
    assert services.heard == []


async def test_ten_megabytes_without_a_length_are_413(served: Served) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * 65_536

    answer = await served.client.post("/orders", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""])
async def test_a_body_that_is_not_declared_json_is_415(served: Served, kind: str) -> None:
    answer = await served.client.post("/orders", content=json.dumps(ORDER).encode(), headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert error_of(answer)["code"] == "UNSUPPORTED_MEDIA_TYPE"


async def test_a_post_without_a_body_needs_no_content_type(served: Served, services: FakeServices) -> None:
    answer = await served.client.post("/orders/ord_1/reserve")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "FUNDS_RESERVED")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"amount": 100}, ["amount"]),
        ({"amount": "0"}, ["amount"]),
        ({"amount": "\uff11\uff12"}, ["amount"]),
        ({"amount": "0.00000001"}, ["amount"]),
        ({"fee": "1"}, ["fee"]),
        ({"title": 5, "currency": "EUR"}, ["title", "currency"]),
        ({"buyer_id": "usr_1", "buyerId": "usr_2"}, ["buyerId"]),
    ],
)
async def test_wrong_fields_are_400_and_named(
    served: Served, services: FakeServices, change: dict[str, object], fields: list[str]
) -> None:
    assert fields_of(await served.client.post("/orders", json=ORDER | change)) == fields
    assert services.heard == []


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/users/nobody", "USER_NOT_FOUND"),
        ("GET", "/users/usr_%00/balance", "USER_NOT_FOUND"),
        ("GET", "/users/%FF", "USER_NOT_FOUND"),
        ("GET", "/orders/' OR 1=1", "ORDER_NOT_FOUND"),
        ("POST", "/orders/ord_" + "x" * 65 + "/reserve", "ORDER_NOT_FOUND"),
        ("POST", "/orders/ord_1/milestones/%00/complete", "MILESTONE_NOT_FOUND"),
        ("GET", "/disputes/1", "DISPUTE_NOT_FOUND"),
        ("DELETE", "/webhooks/..", "WEBHOOK_NOT_FOUND"),
        ("DELETE", "/auth/api-keys/-", "API_KEY_NOT_FOUND"),
        ("DELETE", "/auth/api-keys/key_1", "API_KEY_NOT_FOUND"),
        ("GET", "/nothing", "NOT_FOUND"),
        ("GET", "/orders/", "NOT_FOUND"),
    ],
)
async def test_what_can_t_exist_is_404_and_not_looked_up(
    served: Served, services: FakeServices, method: str, path: str, code: str
) -> None:
    answer = await served.client.request(method, path)
    if path.endswith(".."):  # the client resolves it to /api/v1/, where nothing is
        code = "NOT_FOUND"
    assert (answer.status_code, error_of(answer)["code"]) == (404, code)
    assert services.heard == []


async def test_an_unknown_id_is_404_in_the_owners_words(served: Served, services: FakeServices) -> None:
    services.answers["GetOrder"] = lambda it: Refusal("ORDER_NOT_FOUND", "No such order", {"order_id": it.order_id})
    answer = await served.client.get("/orders/ord_9")
    assert answer.status_code == 404
    assert error_of(answer)["details"] == {"order_id": "ord_9"}


async def test_a_malformed_party_is_404_and_named(served: Served, services: FakeServices) -> None:
    answer = await served.client.post("/orders", json=ORDER | {"seller_id": "the seller"})
    assert answer.status_code == 404
    assert error_of(answer)["details"]["field"] == "seller_id"


async def test_a_wrong_method_is_405_and_says_which_are_right(served: Served) -> None:
    answer = await served.client.put("/orders/ord_1")
    assert (answer.status_code, error_of(answer)["code"], answer.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "GET")


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=5&limit=6", "limit"), ("cursor=%27", "cursor"), ("page=2", "page"),
     ("status=DONE", "status"), ("created_after=soon", "created_after"), ("buyer_id=%00", "buyer_id"), ("status=%FF", "status")],
)  # fmt: skip
async def test_wrong_queries_are_400_and_named(served: Served, services: FakeServices, query: str, field: str) -> None:
    assert fields_of(await served.client.get(f"/orders?{query}")) == [field]
    assert services.heard == []


async def test_a_query_where_none_belongs_is_400(served: Served, services: FakeServices) -> None:
    assert fields_of(await served.client.get("/orders/ord_1?expand=all")) == ["expand"]


@pytest.mark.parametrize("key", ["with space", "x" * 256, "é"])
async def test_a_malformed_idempotency_key_is_400(served: Served, services: FakeServices, key: str) -> None:
    answer = await served.client.post("/orders", json=ORDER, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    assert fields_of(answer) == ["Idempotency-Key"]
    assert services.heard == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Authorization", (KEY, "Bearer nonsense")),
        ("Authorization", ("Bearer nonsense", KEY)),
        ("Authorization", (KEY, KEY)),
        ("authorization", (KEY, "")),
        ("Idempotency-Key", ("one", "two")),
        ("Content-Type", ("text/plain", "application/json")),
        ("X-Request-ID", ("one", "two")),
    ],
)
async def test_a_header_that_may_be_there_once_is_refused_when_it_is_there_twice(
    served: Served, services: FakeServices, name: str, values: tuple[str, str]
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for value in values)
    others = {"Authorization": KEY} if name.lower() != "authorization" else {}
    if name != "Content-Type":
        others["Content-Type"] = "application/json"
    lines += "".join(f"{other}: {value}\r\n" for other, value in others.items())
    body = json.dumps(ORDER)
    async with wire(served.port) as line:
        head = f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        reply = await line.ask(head.encode() + body.encode())
    error = reply.json()["error"]
    assert (reply.status, error["code"]) == (400, "VALIDATION_ERROR")
    assert [problem["field"].lower() for problem in error["details"]["fields"]] == [name.lower()]
    assert services.heard == []


async def test_no_header_puts_another_into_the_answer(served: Served) -> None:
    for header in (
        b"X-Request-ID: a\r\n X-Injected: 1",
        b"Idempotency-Key: a\tX-Injected: 1",
        b"X-Request-ID: \xc3\xa9",
        b"Accept: \xff",
    ):
        async with wire(served.port) as line:
            reply = await line.ask(b"GET /api/v1/config HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
            assert reply.status in (200, 400)
            assert "x-injected" not in reply.headers
            assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_comes_too_slowly_is_408_and_ends_its_connection(
    served: Served,
    services: FakeServices,
    monkeypatch: pytest.MonkeyPatch,
    chunked: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.3)
    length = {"Transfer_Encoding": "chunked", "Content_Length": ""} if chunked else {"Content_Length": "1000"}
    async with wire(served.port) as line:
        await line.send(request("POST", "/orders", b"", Authorization=KEY, **length))

        async def drip() -> None:
            with contextlib.suppress(OSError):
                while True:
                    await line.send(b"1\r\n \r\n" if chunked else b" ")
                    await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        reply = await line.reply()
        dripping.cancel()
        assert (reply.status, reply.json()["error"]["code"], reply.is_last) == (408, "REQUEST_TIMEOUT", True)
    assert services.heard == []
