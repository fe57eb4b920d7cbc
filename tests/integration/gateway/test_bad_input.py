import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.kernel.errors import Refusal
from tests.support.gateway import FakeServices, Served, error_of, fields_of

pytestmark = pytest.mark.integration
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}
DEEP = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
TEN_MB = b'{"title": "' + b"x" * (10 * 1024 * 1024) + b'"}'


async def raw(port: int, request: bytes) -> bytes:
    """Send bytes, return what comes back until the server stops talking for this request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return head + await reader.readexactly(length)
    finally:
        writer.close()


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
    head = b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: application/json\r\n\r\n"
    assert (await raw(served.port, head)).startswith(b"HTTP/1.1 401")


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
