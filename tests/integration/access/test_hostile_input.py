"""Hostile input to every operation, against the real services: refused with the place named, or harmless; never a 5xx.

What is tried comes from the tables here, where it is tried from the OpenAPI document and the recipes of the matrix.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from libs.common.kernel.ids import new_id
from services.gateway.app import build_api
from services.gateway.entrypoints.http.openapi import document
from services.gateway.entrypoints.http.routing import ApiRoute
from tests.support.gateway import MASTER_KEY, error_of, fields_of
from tests.support.matrix import Described, described
from tests.support.recipes import ELSEWHERE, RECIPES, Attempt, Ours
from tests.support.world import World

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

DOCUMENT = json.loads(document([route for route in build_api().router.routes if isinstance(route, ApiRoute)]))
OPERATIONS = {operation.name: operation for operation in described(DOCUMENT)}
WRITES = sorted(name for name, operation in OPERATIONS.items() if operation.is_write)
READS = sorted(name for name, operation in OPERATIONS.items() if any(where == "query" for where, _ in operation.inputs))
LISTS = {name for name in READS if ("query", "cursor") in OPERATIONS[name].inputs and "cursor" not in ELSEWHERE.get(name, ())}

DECIMAL = r"(\.[0-9]{1,7})?$"
"""How the pattern of every amount ends."""

NOT_THE_CALLERS = (
    *("id", "tenant", "tenant_id", "marketplace_id", "status", "final_status", "state", "sequence", "version", "created_at"),
    *("released_at", "released_amount", "fee", "platform_fee_bps", "available", "held", "balance", "key_hash", "revoked_at"),
    *("is_admin", "role", "__proto__", "constructor", "$set", "toString"),
)
BAD_AMOUNTS: tuple[Any, ...] = (
    *("-1", "-0.01", "-0", "+1.00", "1e3", "1E-3", "NaN", "nan", "Infinity", "-Infinity", "inf", "0x10", "0b1", "0o7", "1_000"),
    *(
        "1,00",
        "1.000,00",
        "1 000",
        " 1",
        "1 ",
        "1.00\n",
        "\t1",
        "1.",
        ".5",
        "1.0.0",
        "--1",
        "",
        " ",
        "one",
        "\u0661\u0662",
        "\uff11\uff12",
        "\u216b",
    ),
    *("1" * 13, "1" + "0" * 40, "9" * 400, "0.00000001", "1.123456789", "$1.00", "1.00 USD", "1/2", "∞", "1e", "e1"),
    *(1, 0, -1, 1.5, 1e3, 10**18, True, False, [], ["1.00"], {}, {"amount": "1.00"}),
)
ZEROS = ("0", "0.00", "0.0000000", "00")
"""No amount; a part of a whole may be nothing."""
INJECTIONS = (
    *("' OR '1'='1", "'; DROP TABLE users;--", '" OR ""="', "1); DELETE FROM orders;--", "\\'; SELECT pg_sleep(5);--", "$$x$$"),
    *("%", "_", "%%", "usr\\_%", "*", "?", ".*", "^.*$", "(a+)+$", "[", "(", "\\", "{{7*7}}", "${7*7}", "%s", "%n", "<script>"),
    *("null", "undefined", "true", "[]", "{}", "-1", "0", "1e9", "../../etc/passwd", "\u202e", "\ufeff", "é" * 300, "a" * 6_000),
    *("\x00", "\r\nX-Injected: 1", "usr_' OR 1=1", "9999-99-99", "2026-02-30", "0000-00-00T00:00:00Z", "+99999-01-01"),
)
BODIES: dict[str, bytes] = {
    "no JSON": b"nonsense",
    "half of it": b'{"amount": "1.00"',
    "two of them": b"{} {}",
    "a comment": b"{} // that was all",
    "single quotes": b"{'amount': '1.00'}",
    "a comma too many": b'{"amount": "1.00",}',
    "a list": b"[]",
    "a list of it": b'[{"amount": "1.00"}]',
    "a text": b'"text"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "NaN": b'{"amount": NaN}',
    "minus infinity": b'{"amount": -Infinity}',
    "a number beyond double precision": b'{"amount": 1e999}',
    "an integer beyond 64 bits": b'{"amount": 99999999999999999999}',
    "a million digits": b'{"amount": ' + b"9" * 200_000 + b"}",
    "a field twice": b'{"amount": "1.00", "amount": "2.00"}',
    "a field twice, spelled differently": b'{"amount": "1.00", "\\u0061mount": "2.00"}',
    "a field twice, further in": b'{"metadata": {"a": 1, "a": 2}}',
    "nested deeper than anybody needs": b'{"metadata": ' * 33 + b"1" + b"}" * 33,
    "ten thousand brackets": b"[" * 10_000 + b"]" * 10_000,
    "ten thousand open brackets": b'{"a":' * 10_000,
    "invalid UTF-8": b'{"reason": "\xff\xfe"}',
    "UTF-8 that is overlong": b'{"reason": "\xc0\xaf"}',
    "UTF-8 cut short": b'{"reason": "\xe2\x82"}',
    "a surrogate in UTF-8": b'{"reason": "\xed\xa0\x80"}',
    "half a surrogate pair": b'{"reason": "\\ud800"}',
    "a pair the wrong way round": b'{"reason": "\\udc00\\ud800"}',
    "half a surrogate pair as a name": b'{"\\ud800": 1}',
    "NUL": b'{"reason": "\\u0000"}',
    "NUL as it is": b'{"reason": "\0"}',
    "NUL as a name": b'{"\\u0000": 1}',
    "a control character as it is": b'{"reason": "\x1b"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"reason": "x"}'.encode("utf-16"),
    "UTF-32": '{"reason": "x"}'.encode("utf-32-be"),
}

KINDS = (
    *("", "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
    *("application/json; charset=utf-16", "application/jsonp", "application/json, text/plain", "application/vnd.api+json"),
)


def key_for(world: World, operation: Described) -> str:
    return MASTER_KEY if operation.scope == "master" else world.shop.keys["full"]


def plain(values: Any) -> Any:
    return {name: value.value if isinstance(value, Ours) else value for name, value in (values or {}).items()}


async def sent(world: World, operation: Described, attempt: Attempt, **request: Any) -> httpx.Response:
    """The attempt's call with another query, body or content."""
    headers = {"Authorization": f"Bearer {key_for(world, operation)}"} | request.pop("headers", {})
    if operation.needs_key:
        headers.setdefault("Idempotency-Key", new_id("req"))
    path = operation.path.format(**plain(attempt.path))
    request.setdefault("params", plain(attempt.query) or None)
    return await world.served.client.request(operation.method, path, headers=headers, **request)


def money(schema: Any, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Every amount in a schema of a body, as the path of its field, and whether it may be zero."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from money(option, prefix)
    pattern = schema.get("pattern", "")
    if pattern.endswith(DECIMAL):
        yield prefix, not pattern.startswith("^(?!0+")
    for name, field in schema.get("properties", {}).items():
        yield from money(field, f"{prefix}.{name}" if prefix else name)
    if "items" in schema:
        yield from money(schema["items"], f"{prefix}[0]")


def body_of(operation: Described) -> Any:
    entry = DOCUMENT["paths"]["/api/v1" + operation.path][operation.method.lower()]
    return entry.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})


ALL_OF_IT = (("after", "0"), ("events", "*"))
"""Asks for the log from its beginning, or for every kind of event: values like any other."""
MONEY = {name: dict.fromkeys(money(body_of(OPERATIONS[name]))) for name in WRITES}


def with_amount(body: dict[str, Any], path: str, amount: Any) -> dict[str, Any]:
    """The body with another amount; inside a list it stands in a milestone."""
    outer, inside, name = path.partition("[0].")
    return body | ({outer: [{"ref": "m1", "title": "A part", name: amount}]} if inside else {outer: amount})


async def test_the_tables_reach_every_amount() -> None:
    assert {name: [path for path, _ in found] for name, found in MONEY.items() if found} == {
        "create_escrow": ["amount"],
        "create_order": ["amount", "milestones[0].amount"],
        "credit_balance": ["amount"],
        "create_withdrawal": ["amount"],
        "debit_balance": ["amount"],
        "reserve_order": ["amount"],
        "resolve_dispute": ["release_amount", "refund_amount"],
    }


@pytest.mark.parametrize("name", WRITES)
async def test_nothing_comes_in_that_is_not_the_callers_to_say(world: World, name: str) -> None:
    operation = OPERATIONS[name]
    attempt = await RECIPES[name](world.shop)
    body = plain(attempt.body)
    before = await world.rows(world.shop)
    taken = {field for where, field in operation.inputs if where == "body"}
    for field in (field for field in NOT_THE_CALLERS if field not in taken):
        answer = await sent(world, operation, attempt, json=body | {field: "1.00"})
        assert fields_of(answer) == [field]
    for path, may_be_zero in MONEY[name]:
        for amount in (*BAD_AMOUNTS, *(() if may_be_zero else ZEROS)):
            answer = await sent(world, operation, attempt, json=with_amount(body, path, amount))
            assert path in fields_of(answer), f"{path} = {amount!r}"
    for what, content in BODIES.items():
        answer = await sent(world, operation, attempt, content=content, headers={"Content-Type": "application/json"})
        assert fields_of(answer), what
    for kind in (
        "",
        "text/plain",
        "text/json",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ):
        answer = await sent(world, operation, attempt, content=b'{"a": 1}', headers={"Content-Type": kind})
        assert (answer.status_code, error_of(answer)["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE"), kind
    assert await world.rows(world.shop) == before


@pytest.mark.parametrize("name", READS)
async def test_no_filter_is_more_than_a_value(world: World, name: str) -> None:
    operation = OPERATIONS[name]
    attempt = await RECIPES[name](world.shop)
    for where, field in sorted(operation.inputs):
        if where != "query":
            continue
        for text in INJECTIONS:
            answer = await sent(world, operation, attempt, params={field: text})
            what = f"{field} = {text!r}: {answer.status_code} {answer.text[:300]}"
            if answer.status_code == 400:
                assert fields_of(answer) == [field], what
            elif field == "marketplace":
                assert answer.status_code == 403, what
            elif (field, text) not in ALL_OF_IT:
                assert (answer.status_code, answer.json()["data"]) == (200, []), what
            assert "x-injected" not in answer.headers
        for spelled in (f"{field}[]", f"{field}[$ne]", f"{field}[0]", f"$where[{field}]", field.upper(), f"{field}\0"):
            answer = await sent(world, operation, attempt, params={spelled: "x"})
            assert fields_of(answer) == [spelled]
        answer = await sent(world, operation, attempt, params=[(field, "1"), (field, "2")])
        assert fields_of(answer) == [field]


@pytest.mark.parametrize("name", sorted(LISTS))
async def test_a_cursor_that_was_tampered_with_shows_nothing_else(world: World, name: str) -> None:
    operation = OPERATIONS[name]
    attempt = await RECIPES[name](world.shop)
    cursor = plain(attempt.query)["cursor"]
    kinds = {kind: sample for kind, sample in world.rival.sample.items() if kind not in ("marketplace", "mode")}
    tampered = [
        cursor[:-1],
        cursor + "x",
        cursor.upper(),
        cursor * 2,
        cursor.replace("_", ""),
        cursor[::-1],
        f"{cursor}'",
        f" {cursor}",
    ]
    for text in (*tampered, *kinds.values()):
        answer = await sent(world, operation, attempt, params={"cursor": text})
        assert answer.status_code in (200, 400), f"{text}: {answer.text}"
        if answer.status_code == 400:
            assert fields_of(answer) == ["cursor"]
        assert world.rival.mark not in answer.text


async def test_what_is_only_data_comes_back_as_it_was(world: World) -> None:
    data = {
        "__proto__": {"is_admin": True},
        "constructor": {"prototype": {"x": 1}},
        "sql": "'; DROP TABLE users;--",
        "template": "{{7*7}} ${7*7} %s %n",
        "html": "<script>alert(1)</script>",
        "right to left": "\u202eabc",
        "emoji": "\U0001f4a9",
        "no character": "\uffff",
        "": "an empty name",
        "numbers": [0, -1, 2**53, 1.5, 1e-7],
    }
    made = await world.shop.make("/users", {"external_user_id": "data ' \" \\ % _", "metadata": data})
    assert made["metadata"] == data
    assert (await world.shop.market.get(f"/users/{made['id']}")).json()["data"]["metadata"] == data
    found = (await world.shop.market.get("/users", params={"external_user_id": "data ' \" \\ % _"})).json()["data"]
    assert [user["id"] for user in found] == [made["id"]]
