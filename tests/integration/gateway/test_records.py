"""What is recorded of requests, who may read it, and that nobody can change it unseen."""

import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from stellar_sdk import Keypair

from libs.common.contracts.commands.escrow import ReserveOrder
from libs.common.kernel.clock import SystemClock
from libs.common.kernel.errors import Refusal
from services.gateway.handlers.verify_records import Verdict, verify_records
from services.gateway.settings import GatewaySettings
from services.gateway.store.records import RecordStore
from tests.support.gateway import FakeServices, Served, error_of, serving
from tests.support.workers import until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_records")]
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}


async def recorded(served: Served, request_id: str) -> dict[str, Any]:
    async def found() -> Any:
        answer = await served.client.get(f"/requests/{request_id}")
        return answer.status_code == 200 and answer.json()["data"]["state"] == "completed" and answer.json()["data"]

    record: dict[str, Any] = await until(found)
    return record


async def audited(served: Served, **filters: str) -> list[dict[str, Any]]:
    answer = await served.client.get("/audit/logs", params=filters)
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["data"]
    return entries


async def verified(served: Served, **options: Any) -> Verdict:
    return await verify_records(RecordStore(served.gateway.pool), SystemClock(), kept=timedelta(days=30), **options)


async def test_a_request_can_be_looked_up_by_our_id_and_by_its_callers(served: Served, services: FakeServices) -> None:
    answer = await served.client.post("/orders", json=ORDER, headers={"X-Request-ID": "mine-7", "Idempotency-Key": "looked-up"})
    for name in ("mine-7", (await recorded(served, "mine-7"))["id"]):
        record = await recorded(served, name)
        assert (record["method"], record["path"], record["operation"]) == ("POST", "/api/v1/orders", "create_order")
        assert (record["status"], record["api_key_id"], record["idempotency_key"]) == (201, "master", "looked-up")
        assert (record["request"], record["response"]) == (ORDER, answer.json())
        assert record["resource_id"] == answer.json()["data"]["id"]
        assert record["address"] == "127.0.0.1"
        assert record["duration_ms"] >= 0
    plain = await served.client.post("/orders", json=ORDER)
    assert (await recorded(served, plain.headers["x-request-id"]))["id"] == plain.headers["x-request-id"]


async def test_nobody_else_finds_it(served: Served, services: FakeServices) -> None:
    made = await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["read"], "mode": "test"})
    order = await served.client.post("/orders", json=ORDER)
    await recorded(served, order.headers["x-request-id"])
    other = served.keyed(made.json()["data"]["key"])
    for name in (order.headers["x-request-id"], "req_unknown"):
        answer = await served.client.get(f"/requests/{name}", headers=other)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "REQUEST_NOT_FOUND")
    assert (await served.client.get("/audit/logs", headers=other)).json()["data"] == []


async def test_a_secret_key_that_was_taken_for_an_address_is_not_kept(
    served: Served, services: FakeServices, owner: asyncpg.Connection
) -> None:
    services.answers["CreateWithdrawal"] = lambda _: Refusal("INVALID_DESTINATION", "that is no address", {})
    seed = Keypair.random().secret
    destination = {"type": "stellar", "address": seed}
    body = {"user_id": "usr_1", "amount": "5.00", "destination": destination, "description": f"to {seed}, please"}
    answer = await served.client.post("/withdrawals", json=body, headers={"Idempotency-Key": "mistaken"})
    shown = (await recorded(served, answer.headers["x-request-id"]))["request"]
    assert shown["destination"]["address"] == "[redacted]"
    assert shown["description"] == "to [redacted], please"
    rows = await owner.fetch("SELECT to_jsonb(requests)::text AS kept FROM gateway.requests AS requests")
    assert [row["kept"] for row in rows if seed in row["kept"]] == []


async def test_refused_writes_replays_and_sampled_reads_are_recorded(config: GatewaySettings, services: FakeServices) -> None:
    async with serving(config.model_copy(update={"recorded_reads": 1.0})) as served:
        await served.gateway.link.wait_up(10)
        refused = await served.client.post("/orders", json=ORDER | {"amount": 1})
        record = await recorded(served, refused.headers["x-request-id"])
        assert (record["status"], record["code"], record["request"]) == (400, "VALIDATION_ERROR", None)
        read = await served.client.get("/orders/ord_1")
        assert (await recorded(served, read.headers["x-request-id"]))["operation"] == "get_order"
        first = await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "again"})
        again = await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "again"})
        assert again.headers["idempotency-replay"] == "true"
        await recorded(served, first.headers["x-request-id"])
        await recorded(served, again.headers["x-request-id"])
        assert [entry["result"] for entry in await audited(served)] == ["SUCCESS", "FAILURE"]


async def test_strangers_leave_no_record(served: Served, services: FakeServices, owner: asyncpg.Connection) -> None:
    await served.client.post("/orders", json=ORDER, headers=served.keyed("wrong"))
    order = await served.client.post("/orders", json=ORDER)
    await recorded(served, order.headers["x-request-id"])
    assert await owner.fetchval("SELECT count(*) FROM gateway.requests") == 1


async def test_the_audit_log_tells_who_changed_what_from_what_to_what(served: Served, services: FakeServices) -> None:
    await served.client.post("/users/usr_1/balance/credit", json={"amount": "10.00", "currency": "USD"})
    services.answers["ReserveOrder"] = lambda _: Refusal("INSUFFICIENT_FUNDS", "Too little")
    refused = await served.client.post("/orders/ord_1/reserve")
    await recorded(served, refused.headers["x-request-id"])

    failure, credit = await audited(served)
    assert (failure["action"], failure["resource_type"], failure["resource_id"]) == ("reserve_order", "order", "ord_1")
    assert (failure["result"], failure["code"], failure["after"]) == ("FAILURE", "INSUFFICIENT_FUNDS", None)
    assert (credit["change"], credit["actor"]) == ("UPDATE", {"api_key_id": "master", "address": "127.0.0.1"})
    assert (credit["before"]["available"], credit["after"]["available"]) == ("0.00", "10.00")

    assert [entry["id"] for entry in await audited(served, resource_id="ord_1")] == [failure["id"]]
    assert [entry["id"] for entry in await audited(served, result="SUCCESS")] == [credit["id"]]
    assert [entry["id"] for entry in await audited(served, action="credit_balance", resource_type="user")] == [credit["id"]]
    assert await audited(served, api_key_id="key_1") == []
    assert await audited(served, created_after="2100-01-01") == await audited(served, created_before="2020-01-01") == []
    page = (await served.client.get("/audit/logs", params={"limit": "1"})).json()
    assert page["pagination"] == {"has_more": True, "next_cursor": failure["id"]}
    assert [entry["id"] for entry in await audited(served, cursor=failure["id"])] == [credit["id"]]


async def test_no_secret_and_no_whole_e_mail_address_is_shown(served: Served, services: FakeServices) -> None:
    services.answers["CreateEndpoint"] = lambda _: Refusal("VALIDATION_ERROR", "No")
    webhook = await served.client.post(
        "/webhooks", json={"url": "https://a.example/hook", "events": ["*"], "secret": "whsec-canary-7"}
    )
    user = await served.client.post("/users", json={"external_user_id": "u", "email": "somebody@a.example"})
    shown = json.dumps([await recorded(served, answer.headers["x-request-id"]) for answer in (webhook, user)])
    assert "canary" not in shown
    assert "somebody" not in shown
    assert '"secret": "[redacted]"' in shown
    assert '"email": "s***@a.example"' in shown
    assert await served.gateway.pool.fetchval("SELECT count(*) FROM requests WHERE about::text LIKE '%canary%'") == 0


async def some_records(served: Served) -> list[str]:
    answers = [await served.client.post("/orders", json=ORDER | {"title": f"t{number}"}) for number in range(4)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    for request_id in ids:
        await recorded(served, request_id)
    return ids


async def test_what_was_recorded_verifies(served: Served, services: FakeServices) -> None:
    await some_records(served)
    verdict = await verified(served)
    assert (verdict.complaints, verdict.records) == ([], 4)
    head = (await served.client.get("/audit/head")).json()["data"]
    assert head == {"position": verdict.position, "hash": verdict.hash.hex()}
    await some_records(served)
    assert (await verified(served, anchor=(verdict.position, verdict.hash))).complaints == []


@pytest.mark.parametrize(
    "column",
    [
        "api_key_id = 'key_x'",
        "about = 'x'",
        "status = 200",
        "code = 'X'",
        "resource_id = 'ord_x'",
        "before = 'x'",
        "body = 'x'",
        "started_at = started_at - interval '1 microsecond'",
        "completed_at = completed_at + interval '1 microsecond'",
        "key = 'x'",
    ],
)
async def test_a_changed_record_is_named(served: Served, services: FakeServices, owner: asyncpg.Connection, column: str) -> None:
    victim = (await some_records(served))[1]
    await owner.execute(f"UPDATE gateway.requests SET {column} WHERE id = $1", victim)
    assert (await verified(served)).complaints == [f"record {victim}: changed"]


async def test_a_removed_an_added_and_a_rewritten_record_show(
    served: Served, services: FakeServices, owner: asyncpg.Connection
) -> None:
    first, second, *_ = await some_records(served)
    before = await verified(served)
    await owner.execute("DELETE FROM gateway.requests WHERE id = $1", first)
    assert [complaint.partition(":")[2] for complaint in (await verified(served)).complaints] == [" sealed 1 records, has 0"]
    await owner.execute("UPDATE gateway.requests SET batch_id = 'bat_x' WHERE id = $1", second)
    assert f"record {second}: in no batch" in (await verified(served)).complaints
    # Whoever rewrites a record, its hash, its batch and the whole chain behind it still can't rewrite what was kept elsewhere.
    await owner.execute("TRUNCATE gateway.request_batches")
    await owner.execute("DELETE FROM gateway.requests")
    await owner.execute("UPDATE gateway.request_head SET position = 0, hash = decode(repeat('00', 32), 'hex')")
    await some_records(served)
    assert (await verified(served)).complaints == []
    assert (await verified(served, anchor=(before.position, before.hash))).complaints != []


async def test_a_cut_chain_shows(served: Served, services: FakeServices, owner: asyncpg.Connection) -> None:
    await some_records(served)
    whole = await verified(served)
    await owner.execute("DELETE FROM gateway.request_batches WHERE position = $1", whole.position)
    cut = (await verified(served)).complaints
    assert f"the chain ends at {whole.position - 1}, its head says {whole.position}" in cut
    await owner.execute("DELETE FROM gateway.request_batches WHERE position = 1")
    assert "batch 1: missing" in (await verified(served)).complaints


async def test_records_are_forgotten_when_their_time_is_over_and_their_key_is_free(
    served: Served, services: FakeServices, owner: asyncpg.Connection
) -> None:
    services.answers["AssignDispute"] = lambda _: Refusal("DISPUTE_NOT_FOUND", "No such dispute")
    kept = await served.client.post("/disputes/dsp_1/assign", json={"assigned_to": "a"}, headers={"Idempotency-Key": "for-ever"})
    await recorded(served, kept.headers["x-request-id"])
    await some_records(served)
    await owner.execute("UPDATE gateway.request_batches SET sealed_at = sealed_at - interval '60 days'")
    await owner.execute("UPDATE gateway.requests SET completed_at = completed_at - interval '60 days'")
    leftovers = served.gateway.leftovers
    assert await leftovers.forget(kept=timedelta(days=30), limit=100) == 4
    assert await owner.fetchval("SELECT array_agg(key) FROM gateway.requests") == ["for-ever"]
    assert (await verified(served)).forgotten == 4


async def test_a_reserve_tells_what_it_changed(served: Served, services: FakeServices) -> None:
    answer = await served.client.post("/orders/ord_1/reserve")
    record = await recorded(served, answer.headers["x-request-id"])
    assert (record["before"], record["response"]["data"]["status"]) == (None, "FUNDS_RESERVED")
    assert services.told(ReserveOrder.__name__)
