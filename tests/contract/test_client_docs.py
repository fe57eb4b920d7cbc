"""What the documents that integrators read say in tables is true of the code, and nothing in them is left out."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from libs.common.contracts.catalog import EVENTS
from libs.common.kernel.money import format_amount
from services.gateway.app import build_api
from services.gateway.domain.access import GRANTABLE
from services.gateway.domain.answers import Answer
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.errors import ApiError
from services.gateway.domain.limits import GENERAL
from services.gateway.domain.streams import PER_USER
from services.gateway.entrypoints.http import escrow, orders, resolution, withdrawals
from services.gateway.entrypoints.http.calls import Call
from services.gateway.entrypoints.http.fields import PAGE_DEFAULT, read_fields
from services.gateway.entrypoints.http.openapi import document
from services.gateway.entrypoints.http.routing import PREFIX, ApiRoute
from services.gateway.entrypoints.http.values import PAGE_MAX
from services.payouts.domain.withdrawal_rules import MINIMUM
from tests.support.client_docs.extract import Document, Table
from tests.support.client_docs.library import MISSING, documents
from tests.support.client_docs.substitutions import (
    PENDING,
    PENDING_OPERATIONS,
    PENDING_ROWS,
    PENDING_TABLES,
    PLACES,
    REQUESTS,
    SCENES,
    WITHOUT_ENVELOPE,
)

TABLES = {table.name: table for told in documents() for table in told.tables}
SNIPPETS = {snippet.name: snippet for told in documents() for snippet in told.snippets}
NEEDS_DOCUMENTS = pytest.mark.skipif(not documents(), reason=MISSING.kwargs["reason"])
Untrue = Callable[[Table], list[str]]
"""Returns the rows of a table that the code does not make true."""


def _each(things: Iterable[Any]) -> list[Any]:
    return list(things) or [pytest.param(None, marks=MISSING)]


@cache
def _openapi() -> Any:
    return json.loads(document([route for route in build_api().router.routes if isinstance(route, ApiRoute)]))


def _operations() -> dict[str, Any]:
    """Every operation by its method and path, with each id written `{id}`."""
    return {
        f"{method.upper()} {re.sub(r'{.+?}', '{id}', path)}": entry
        for path, entries in _openapi()["paths"].items()
        for method, entry in entries.items()
    }


def _begins_with(known: Iterable[str]) -> Untrue:
    starts = tuple(known)
    return lambda table: table.without(starts)


def _contains(text: str) -> Untrue:
    return lambda table: [] if any(text in row for row in table.rows) else list(table.rows)


def _schema(found: Any) -> Any:
    return _openapi()["components"]["schemas"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found


def _body_fields(operation: str) -> list[str]:
    entry = _operations()[operation]
    schema = _schema(entry["requestBody"]["content"]["application/json"]["schema"])
    return [
        f"{name}{field['type']}{'Yes' if name in schema['required'] else 'No'}" for name, field in schema["properties"].items()
    ]


def _withdrawal_fields() -> list[str]:
    """The fields of a withdrawal's body; the reference asks for a currency, the guide leaves it out, and both are taken."""
    found = _operations()["POST /api/v1/withdrawals"]["requestBody"]["content"]["application/json"]["schema"]
    schema = _schema(found)
    needed = {*schema["required"], "currency"}
    kinds = {name: _schema(field).get("type") for name, field in schema["properties"].items()}
    return [f"{name}{kind}{'Yes' if name in needed else 'No'}" for name, kind in kinds.items()]


def _balance_fields() -> list[str]:
    balance = _schema(_openapi()["components"]["schemas"]["Balance"])["properties"]["balances"]["items"]
    return [f"{name}{field['type']}" for name, field in _schema(balance)["properties"].items()]


def _filters(table: Table) -> list[str]:
    """Each filter takes the example that stands behind its type."""
    rows = {row: re.fullmatch(r"(\w+?)(?:string|ISO date)(.+)", row) for row in table.rows}
    return [row for row, parts in rows.items() if parts is None or not _is_query(parts[1], parts[2])]


def _is_query(name: str, value: str) -> bool:
    try:
        read_fields(orders.OrderQuery, {name: value})
    except ApiError:
        return False
    return True


class _Remembered(Call):
    """A request that only tells for how long its Idempotency-Key would be remembered."""

    window: timedelta | None = None

    async def once(self, run: object, *, window: timedelta | None, **_: object) -> Answer:
        self.window = window
        return Answer(200, b"{}")


def _window(endpoint: Callable[..., Coroutine[Any, Any, Answer]], body: Any = None) -> timedelta | None:
    call = _Remembered(None, "POST", "/")  # type: ignore[arg-type] # nothing is asked of the services
    arguments = {"body": body} if body is not None else {}
    path = {} if endpoint in (orders.create_order, withdrawals.create_withdrawal) else {"order_id": "ord_1"}
    asyncio.run(endpoint(call, **path, **arguments))
    return call.window


def _windows() -> list[str]:
    money = {"amount": "1.00", "currency": "USD"}
    sale = read_fields(orders.NewOrder, {**money, "buyer_id": "usr_1", "seller_id": "usr_2", "title": "A thing"})
    found = {
        "Orders": {
            _window(orders.create_order, sale),
            _window(orders.reserve_order, orders.Reservation()),
            _window(orders.cancel_order, orders.Cancellation()),
        },
        "Escrow ops": {
            _window(escrow.create_escrow, read_fields(escrow.NewEscrow, money)),
            _window(escrow.fund_escrow),
            _window(resolution.release_order, resolution.Settlement()),
            _window(resolution.refund_order, resolution.Settlement()),
        },
        "Disputes": {_window(resolution.open_dispute, read_fields(resolution.NewDispute, {}))},
    }
    destination = {"type": "stellar", "address": "G"}
    out = read_fields(withdrawals.NewWithdrawal, {"user_id": "usr_1", "amount": "1.00", "destination": destination})
    found["Withdrawals"] = {_window(withdrawals.create_withdrawal, out)}
    return [f"{what}{_in_words(window)}" for what, windows in found.items() for window in windows if len(windows) == 1]


def _in_words(window: timedelta | None) -> str:
    if window is None:
        return "Forever"
    hours = window // timedelta(hours=1)
    return f"{hours} hours" if hours <= 24 else f"{hours // 24} days"


def _codes(table: Table) -> list[str]:
    """Every code is in the catalogue, and has the status that stands before it, if one does."""
    found = re.findall(r"(?:(\d{3}) )?([A-Z]+(?:_[A-Z]+)+)(?![A-Z_])", re.sub(r"(_[A-Z]+)([A-Z][a-z])", r"\1 \2", table.rows[0]))
    true = [(not status or CATALOGUE[code].status == int(status)) for status, code in found if code in CATALOGUE]
    return [] if found and all(true) and len(true) == len(found) else list(table.rows)


def _streams() -> list[str]:
    """The operations that answer with a stream of events."""
    return [
        operation
        for operation, entry in _operations().items()
        if any("text/event-stream" in answer.get("content", {}) for answer in entry["responses"].values())
    ]


def _endpoints(operations: Iterable[str]) -> Untrue:
    parts = (operation.split(" ") for operation in operations)
    return _begins_with(f"{path.removeprefix(PREFIX)}{method}" for method, path in parts)


def _arrived() -> set[str]:
    """What entries of the substitutions may wait for."""
    return {*_operations(), *(f"{operation} as a stream" for operation in _streams())}


def _facts() -> dict[str, Untrue]:
    resources = ("Auth & Config", "Users", "Orders", "Escrow", "Resolution", "Withdrawals")
    return {
        "api-reference/API Key Scopes/1": _begins_with(GRANTABLE),
        "api-reference/Error Codes/1": _begins_with(f"{code}{problem.status}" for code, problem in CATALOGUE.items()),
        "api-reference/Initialize an Escrow/1": _begins_with(_body_fields("POST /api/v1/orders/{id}/escrow")),
        "api-reference/Get User Balance/1": _begins_with(_balance_fields()),
        "api-reference/Available Events/1": _begins_with(EVENTS),
        "api-reference/Pagination/1": _begins_with([f"limit{PAGE_DEFAULT}{PAGE_MAX}", "cursor--"]),
        "api-reference/Filters/1": _filters,
        "api-reference/Idempotency Windows/1": _begins_with(_windows()),
        "api-reference/Rate Limiting/1": _begins_with(
            [
                f"General{GENERAL.amount} req/min per API key",
                f"GET /events{PER_USER} SSE connection per user",
                f"POST /withdrawals{withdrawals.PER_USER.amount} req/min per user",
            ]
        ),
        "api-reference/Create Withdrawal/1": _begins_with(_withdrawal_fields()),
        "withdrawals-guide/Rate Limiting/1": _contains(f"POST /withdrawals{withdrawals.PER_USER.amount} per minute per user"),
        "withdrawals-guide/Limits and Fees/1": _contains(f"Minimum {format_amount(MINIMUM['USD'])} USDC Maximum No limit"),
        **{f"api-reference/{heading}/1": _endpoints(_operations()) for heading in resources},
        "api-reference/Events/1": _endpoints(_streams()),
        "withdrawals-guide/Error Handling/1": _codes,
        "withdrawals-guide/Idempotency/1": _codes,
    }


FACTS = _facts()
PROBED = {"api-reference/Request Headers/1", "api-reference/Response Headers/1"}
"""Tables that `tests/e2e/test_client_docs.py` compares with real answers."""


@pytest.mark.parametrize("told", _each(pytest.param(told, id=told.name) for told in documents()))
def test_no_line_that_looks_like_code_is_outside_of_a_snippet(told: Document) -> None:
    assert told.missed() == []
    assert len(told.snippets) > 10


@pytest.mark.parametrize("name", _each(sorted(FACTS.keys() & TABLES.keys())))
def test_the_rows_of_the_table_are_true(name: str) -> None:
    table = TABLES[name]
    pending = PENDING_ROWS.get(name, {})
    assert FACTS[name](table) == [row for row in table.rows if row.startswith(tuple(pending))]
    assert [start for start in pending if not any(row.startswith(start) for row in table.rows)] == []


@NEEDS_DOCUMENTS
def test_every_table_is_compared_with_something() -> None:
    assert TABLES.keys() == {*FACTS, *PROBED, *PENDING_TABLES}


def test_what_is_waited_for_has_not_come() -> None:
    awaited = [*PENDING_TABLES.values(), *(operation for rows in PENDING_ROWS.values() for operation in rows.values())]
    assert [operation for operation in awaited if operation in _arrived()] == []


@NEEDS_DOCUMENTS
def test_every_operation_that_stands_in_the_text_is_there() -> None:
    told = [operation for told in documents() for operation in told.operations]
    assert [operation for operation in told if operation not in _operations()] == list(PENDING_OPERATIONS)


@NEEDS_DOCUMENTS
def test_every_entry_of_the_substitutions_is_about_something_that_is_printed() -> None:
    headings = {name.rpartition("/")[0] for name in SNIPPETS}
    assert {*PENDING, *REQUESTS, *WITHOUT_ENVELOPE} - SNIPPETS.keys() == set()
    assert SCENES.keys() - SNIPPETS.keys() - headings == set()
    printed = "\n".join([*(snippet.text for snippet in SNIPPETS.values()), *(snippet.operation for snippet in SNIPPETS.values())])
    assert [text for text in PLACES if text not in printed] == []
