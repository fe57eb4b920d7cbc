"""Submitting over HTTP: waiting or not, twice, too late, and to a busy or another network."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from stellar_sdk import Asset, Payment, TransactionEnvelope

from deploy.sandbox.horizon.ledger.queue import BANNED_LEDGERS
from tests.support.chain import address, key
from tests.support.horizon import Sandbox, sandbox

NATIVE = Asset.native()


def pay(to: str = "bob", amount: str = "1") -> Payment:
    return Payment(address(to), NATIVE, amount)


async def post(chain: Sandbox, envelope: TransactionEnvelope) -> httpx.Response:
    """Submit, waiting; close a ledger once it is in the queue."""
    asked = asyncio.create_task(chain.http.post("/transactions", data={"tx": envelope.to_xdr()}))
    async with asyncio.timeout(20):
        while not (asked.done() or len(chain.node.chain.queue)):
            await asyncio.sleep(0)
    if not asked.done():
        await chain.node.close()
    return await asked


async def test_waiting_ends_with_the_ledger(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay())
    answer = await post(chain, envelope)
    assert answer.status_code == 200
    assert answer.json() == await chain.get(f"/transactions/{envelope.hash_hex()}")
    assert (answer.json()["successful"], answer.json()["ledger"]) == (True, chain.node.latest)


async def test_a_failure_in_the_ledger_is_told_with_its_codes(chain: Sandbox) -> None:
    answer = await post(chain, chain.build("ann", pay(), pay("nobody")))
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (400, "https://stellar.org/horizon-errors/transaction_failed")
    assert problem["extras"]["result_codes"] == {"transaction": "tx_failed", "operations": ["op_success", "op_no_destination"]}


async def test_a_refusal_is_told_at_once_and_no_ledger_has_it(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay(), sequence=5)
    answer = await post(chain, envelope)
    assert (answer.status_code, answer.json()["extras"]["result_codes"]) == (400, {"transaction": "tx_bad_seq"})
    assert answer.json()["extras"]["envelope_xdr"] == envelope.to_xdr()
    await chain.node.close()
    assert (await chain.http.get(f"/transactions/{envelope.hash_hex()}")).status_code == 404


async def test_what_is_known_is_answered_from_history(chain: Sandbox) -> None:
    good, bad = chain.build("ann", pay()), chain.build("bob", pay("nobody"))
    await chain.apply(good, bad)
    assert [(await post(chain, envelope)).status_code for envelope in (good, bad, good)] == [200, 400, 200]
    assert len(await chain.records(f"/accounts/{address('ann')}/payments")) == 2


async def test_the_same_transaction_from_many_at_once_is_in_one_ledger_once(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay())
    answers = await asyncio.gather(*(post(chain, envelope) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["ledger"] for answer in answers}) == 1


async def test_without_a_ledger_the_wait_ends_in_a_timeout_that_names_the_hash(tmp_path: Path) -> None:
    async with sandbox(tmp_path, submit_timeout_ms=20) as chain:
        await chain.accounts("ann", "bob")
        envelope = chain.build("ann", pay())
        answer = await chain.http.post("/transactions", data={"tx": envelope.to_xdr()})
        assert (answer.status_code, answer.json()["extras"]["hash"]) == (504, envelope.hash_hex())
        await chain.node.close()
        assert (await chain.get(f"/transactions/{envelope.hash_hex()}"))["successful"], "it was taken all the same"


async def test_not_waiting_tells_four_answers_apart(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay())
    digest = envelope.hash_hex()
    answers = [await chain.submit(each) for each in (envelope, envelope, chain.build("ann", pay(amount="2")))]
    assert [(answer.status_code, answer.json()["tx_status"]) for answer in answers] == [
        (201, "PENDING"),
        (409, "DUPLICATE"),
        (503, "TRY_AGAIN_LATER"),
    ]
    assert answers[0].json() == {"tx_status": "PENDING", "hash": digest}
    refused = await chain.submit(chain.build("bob", pay(), sequence=5))
    assert (refused.status_code, refused.json()["tx_status"]) == (400, "ERROR")
    assert refused.json()["error_result_xdr"] == "AAAAAAAAAGT////7AAAAAA=="


async def test_what_was_applied_is_turned_away_without_looking_at_history(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay())
    await chain.apply(envelope)
    assert (await chain.submit(envelope)).json()["tx_status"] == "TRY_AGAIN_LATER"
    for _ in range(BANNED_LEDGERS):
        await chain.node.close()
    assert (await chain.submit(envelope)).json()["tx_status"] == "ERROR"
    assert (await post(chain, envelope)).status_code == 200


@pytest.mark.parametrize("path", ["/transactions", "/transactions_async"])
async def test_what_is_no_transaction_is_told_so(chain: Sandbox, path: str) -> None:
    for form in ({"tx": "x"}, {}):
        answer = await chain.http.post(path, data=form)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "transaction_malformed")
    assert (await chain.http.post(path, json={"tx": "x"})).status_code == 415


async def test_a_transaction_signed_for_another_network_is_signed_by_nobody(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay(), signers=[])
    elsewhere = TransactionEnvelope(envelope.transaction, "Test SDF Network ; September 2015")
    elsewhere.sign(key("ann"))
    assert (await post(chain, elsewhere)).json()["extras"]["result_codes"] == {"transaction": "tx_bad_auth"}


async def test_friendbot_makes_those_who_ask_together_in_one_transaction(chain: Sandbox) -> None:
    await chain.accounts(*(f"friend {number}" for number in range(30)))
    transactions = await chain.records("/transactions", limit=200)
    assert sum(each["operation_count"] for each in transactions) == 33
    assert len(transactions) < 33
    assert (await chain.get(f"/accounts/{address('friend 7')}"))["balances"][0]["balance"] == "10000.0000000"


async def test_ledgers_close_by_themselves(tmp_path: Path) -> None:
    async with sandbox(tmp_path, close_ms=20) as chain:
        assert (await chain.http.get("/friendbot", params={"addr": address("ann")})).status_code == 200
        assert (await chain.http.get("/friendbot", params={"addr": address("bob")})).status_code == 200
        envelope = chain.build("ann", pay())
        assert (await chain.http.post("/transactions", data={"tx": envelope.to_xdr()})).status_code == 200


async def test_an_address_that_asks_too_often_is_told_how_much_it_has_left(tmp_path: Path) -> None:
    async with sandbox(tmp_path, requests_per_hour=3_600) as chain:
        answers = [await chain.http.get("/fee_stats") for _ in range(110)]
        codes = [answer.status_code for answer in answers]
        first, last = answers[0], answers[-1]
        assert (codes[:101], codes[-1]) == ([200] * 101, 429)
        assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("101", "100")
        assert (last.headers["X-RateLimit-Remaining"], last.headers["Retry-After"]) == ("0", "1")
        assert (await chain.http.get("/sandbox/network")).status_code == 200


CHANGES: list[tuple[dict[str, Any], int]] = [
    ({"base_fee": 200}, 200),
    ({"base_reserve": 1}, 200),
    ({"base_fee": -1}, 400),
    ({"base_fee": "100"}, 400),
    ({"capacity": 0}, 400),
    ({"unknown": 1}, 400),
]


@pytest.mark.parametrize(("body", "status"), CHANGES)
async def test_the_network_changes_from_the_next_ledger_on(chain: Sandbox, body: dict[str, Any], status: int) -> None:
    answer = await chain.http.put("/sandbox/network", json=body)
    assert answer.status_code == status
    if status == 200:
        await chain.node.close()
        (ledger,) = await chain.records("/ledgers", order="desc", limit=1)
        assert ledger[f"{next(iter(body))}_in_stroops"] == next(iter(body.values()))


async def test_time_and_ledgers_move_on_demand(chain: Sandbox) -> None:
    before = chain.node.clock.now()
    assert (await chain.http.post("/sandbox/clock", json={"seconds": 3_600})).json()["now"] >= before + 3_600
    closed = await chain.http.post("/sandbox/ledgers", json={"count": 3})
    assert closed.json()["sequence"] == chain.node.latest
    assert chain.node.chain.header.close_time >= before + 3_600
    assert (await chain.http.post("/sandbox/ledgers", json={"count": 0})).status_code == 400


async def test_everything_can_be_looked_at(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", pay()))
    shown = await chain.get("/sandbox/balances")
    assert shown["accounts"][address("ann")] == {"native": "9998.9999900"}
    lines = (await chain.http.get("/sandbox/transactions")).text.splitlines()
    assert len(lines) == len(await chain.records("/transactions", limit=200))


async def test_a_crowded_network_takes_the_highest_bids_first(chain: Sandbox) -> None:
    await chain.http.put("/sandbox/network", json={"least_bid": 1_000})
    low, high = chain.build("ann", pay(), fee=999), chain.build("bob", pay(), fee=1_000)
    await chain.submit(low)
    (taken,) = await chain.apply(high)
    assert taken["fee_charged"] == "1000"
    assert (await chain.http.get(f"/transactions/{low.hash_hex()}")).status_code == 404
    await chain.http.put("/sandbox/network", json={"least_bid": 0})
    await chain.node.close()
    assert (await chain.get(f"/transactions/{low.hash_hex()}"))["fee_charged"] == "100"


async def test_a_network_that_begins_anew_knows_nothing_of_before(chain: Sandbox) -> None:
    first = (await chain.get("/ledgers/1"))["hash"]
    await chain.http.post("/sandbox/clock", json={"seconds": 60})
    await chain.http.post("/sandbox/reset")
    assert (await chain.http.get(f"/accounts/{address('ann')}")).status_code == 404
    assert (await chain.get("/ledgers/1"))["hash"] != first
    await chain.accounts("ann")
