"""What a change of a user must look like, who may ask for it, and what becomes of it on the bus."""

from typing import Any

import msgspec
import pytest

from libs.common.contracts.commands.ledger import UpdateUser
from libs.common.kernel.errors import Refusal
from tests.support.gateway import FakeServices, Served, error_of, fields_of, user

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _ledger_changes_users(services: FakeServices) -> None:
    services.answers["UpdateUser"] = lambda it: user(it.user_id, "ext-1")


async def _key(served: Served, *scopes: str) -> dict[str, str]:
    made = await served.client.post("/auth/api-keys", json={"name": "k", "scopes": scopes})
    return served.keyed(made.json()["data"]["key"])


CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"email": "a@x.io"}, {"email": "a@x.io"}),
    ({"email": None}, {"email": None}),
    ({"type": "seller"}, {"user_type": "SELLER"}),
    ({"metadata": {"a": None, "b": {"c": None}}}, {"metadata": {"a": None, "b": {"c": None}}}),
    ({"status": "SUSPENDED", "reason": "ticket 7"}, {"status": "SUSPENDED", "reason": "ticket 7"}),
]
"""A body, and what it asks of the ledger."""

SCOPES: list[tuple[list[str], dict[str, Any], str | None]] = [
    (["read"], {"email": "a@x.io"}, "write"),
    (["support"], {"email": "a@x.io"}, "write"),
    (["read", "write"], {"email": "a@x.io"}, None),
    (["read", "write"], {"status": "SUSPENDED"}, "support"),
    (["read", "write"], {"status": "ACTIVE", "email": "a@x.io"}, "support"),
    (["write", "support"], {"status": "SUSPENDED"}, None),
]
"""Scopes of a key, what it asks for, and the scope it lacks."""

NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"status": "PENDING_VERIFICATION"}, "status"),
    ({"status": "suspended"}, "status"),
    ({"status": None}, "status"),
    ({"type": None}, "type"),
    ({"type": "CARRIER"}, "type"),
    ({"email": "nobody"}, "email"),
    ({"email": ""}, "email"),
    ({"email": "a@x.io\u0007"}, "email"),
    ({"metadata": None}, "metadata"),
    ({"metadata": []}, "metadata"),
    ({"reason": "why"}, "reason"),
    ({"status": "ACTIVE", "reason": "x" * 501}, "reason"),
    ({"id": "usr_2"}, "id"),
    ({"externalUserId": "other"}, "externalUserId"),
    ({"created_at": "2026-01-01"}, "created_at"),
]
"""A body, and its field at fault."""


async def test_only_what_is_written_is_asked_for(served: Served, services: FakeServices) -> None:
    for body, command in CHANGES:
        answer = await served.client.patch("/users/usr_1", json=body)
        assert (answer.status_code, answer.json()["data"]["id"]) == (200, "usr_1")
        assert services.told("UpdateUser")[-1] == UpdateUser("usr_1", **command)


async def test_a_change_needs_write_and_one_of_the_status_support(served: Served, services: FakeServices) -> None:
    for scopes, body, lacking in SCOPES:
        answer = await served.client.patch("/users/usr_1", json=body, headers=await _key(served, *scopes))
        if lacking is None:
            assert answer.status_code == 200
            continue
        assert (answer.status_code, error_of(answer)["code"]) == (403, "INSUFFICIENT_SCOPE")
        assert error_of(answer)["details"] == {"required_scope": lacking, "current_scopes": sorted(scopes)}
    assert len(services.told("UpdateUser")) == sum(lacking is None for *_, lacking in SCOPES)


async def test_a_change_that_makes_no_sense_is_400_and_its_field_is_named(served: Served, services: FakeServices) -> None:
    for body, field in NONSENSE:
        assert fields_of(await served.client.patch("/users/usr_1", json=body)) == [field]
    assert services.heard == []


async def test_metadata_beyond_its_size_is_400_when_a_user_is_made(served: Served, services: FakeServices) -> None:
    for metadata in ({f"k{number}": 1 for number in range(51)}, {"k": "x" * 33_000}):
        assert fields_of(await served.client.post("/users", json={"external_user_id": "e", "metadata": metadata})) == ["metadata"]
    assert services.heard == []


async def test_what_the_ledger_refuses_is_said_in_its_words(served: Served, services: FakeServices) -> None:
    services.answers["UpdateUser"] = lambda it: Refusal("USER_NOT_FOUND", "No such user", {"user_id": it.user_id})
    answer = await served.client.patch("/users/usr_9", json={"email": "a@x.io"})
    assert (answer.status_code, error_of(answer)["details"]) == (404, {"user_id": "usr_9"})


async def test_a_change_under_one_key_is_made_once(served: Served, services: FakeServices) -> None:
    headers = {"Idempotency-Key": "change-1"}
    first = await served.client.patch("/users/usr_1", json={"email": "a@x.io"}, headers=headers)
    again = await served.client.patch("/users/usr_1", json={"email": "a@x.io"}, headers=headers)
    other = await served.client.patch("/users/usr_1", json={"email": None}, headers=headers)
    assert (again.content, again.headers["idempotency-replay"]) == (first.content, "true")
    assert (other.status_code, error_of(other)["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert len(services.told("UpdateUser")) == 1
    kept = await served.gateway.pool.fetchval("SELECT expires_at - now() FROM requests WHERE key = 'change-1'")
    assert 23 * 3600 < kept.total_seconds() <= 24 * 3600


def test_left_out_and_null_are_two_things_on_the_bus() -> None:
    kept, removed = msgspec.json.encode(UpdateUser("usr_1")), msgspec.json.encode(UpdateUser("usr_1", email=None))
    assert msgspec.json.decode(kept, type=UpdateUser).email is msgspec.UNSET
    assert msgspec.json.decode(removed, type=UpdateUser).email is None
