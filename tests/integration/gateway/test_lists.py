"""Every list of the API is asked strictly: what it does not take is 400, naming the parameter, and goes to nobody."""

from typing import Any

import pytest

from tests.support.gateway import FakeServices, Served, fields_of

pytestmark = pytest.mark.integration

BAD: dict[str, list[str]] = {
    "limit": ["0", "101", "-1", "1.5", "x", "", "1e2", "%EF%BC%91", "9" * 30],
    "cursor": ["%27%20OR%201%3D1", "nonsense", "ord_%00", "ord_" + "x" * 65, "..%2F..%2Fetc", ""],
    "after": ["-1", "x", "1.5", "9" * 30],
    "created_after": [
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2026-01-01T25:00:00Z",
        "1700000000",
        "2026-01-01T00:00:00+02:00",
        "",
    ],
    "created_before": ["tomorrow", "2026-1-1", "0000-00-00"],
    "order_id": ["%27", "ord-1"],
    "buyer_id": ["me", ""],
    "seller_id": ["%00"],
    "user_id": ["usr_%25"],
    "status": ["NOPE", "", "ACTIVE,SUSPENDED"],
    "type": ["CARRIER"],
    "state": ["LOST", "delivered"],
    "currency": ["EUR", "usd"],
    "mode": ["both"],
    "marketplace": ["A B"],
    "opened_by": ["usr_1"],
    "email": ["nobody"],
    "external_user_id": [""],
    "events": ["", "ordr.*", "order.created;user.created"],
}
FILTERS = {
    "/users": {"type", "status", "external_user_id", "email", "created_after", "created_before"},
    "/orders": {"status", "buyer_id", "seller_id", "user_id", "created_after", "created_before"},
    "/disputes": {"status", "order_id", "opened_by", "user_id", "created_after", "created_before"},
    "/users/{user_id}/ledger": {"currency"},
    "/users/{user_id}/wallet/transactions": {"created_after", "created_before"},
    "/withdrawals": {"status", "user_id", "created_after", "created_before"},
    "/webhooks": set(),
    "/webhooks/{webhook_id}/deliveries": {"state"},
    "/webhooks/{webhook_id}/replays": set(),
    "/events": {"after", "since", "events", "user_id", "takeover"},
    "/auth/api-keys": {"marketplace", "mode"},
    "/audit/logs": {"resource_id", "resource_type", "action", "api_key_id", "result", "created_after", "created_before"},
}
"""Every list, and its filters beside limit and cursor."""


async def _lists(served: Served) -> dict[str, dict[str, Any]]:
    """The operations that take a limit, as the OpenAPI document tells them: path → query parameters by name."""
    paths = (await served.client.get("/openapi.json")).json()["paths"]
    found = {}
    for path, operations in paths.items():
        parameters = {each["name"]: each for each in operations.get("get", {}).get("parameters", ()) if each.get("in") == "query"}
        if "limit" in parameters:
            found[path.removeprefix("/api/v1")] = parameters
    return found


async def test_every_list_takes_its_own_filters_and_says_how_long_a_page_is(served: Served) -> None:
    found = await _lists(served)
    assert {path: set(parameters) - {"limit", "cursor"} for path, parameters in found.items()} == FILTERS
    for parameters in found.values():
        schema = parameters["limit"]["schema"]
        assert (schema["default"], schema["minimum"], schema["maximum"]) == (20, 1, 100)
        assert "cursor" in parameters


async def test_what_a_list_does_not_take_is_400_and_asks_nobody(served: Served, services: FakeServices) -> None:
    for path, parameters in (await _lists(served)).items():
        target = path.format(user_id="usr_1", webhook_id="wh_1")
        for name in parameters:
            for value in BAD.get(name, ()):
                answer = await served.client.get(f"{target}?{name}={value}")
                assert fields_of(answer) == [name], f"{target}?{name}={value}: {answer.text}"
            twice = await served.client.get(f"{target}?{name}=1&{name}=1")
            assert fields_of(twice) == [name], f"{name} twice: {twice.text}"
        assert fields_of(await served.client.get(f"{target}?colour=red")) == ["colour"]
        assert fields_of(await served.client.get(f"{target}?limit=5&page=2")) == ["page"]
    assert services.heard == []
