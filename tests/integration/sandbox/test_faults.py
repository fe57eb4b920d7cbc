"""Every way it can go wrong on purpose, and that the books are right all the same."""

import asyncio
from typing import Any

import httpx
import pytest
from stellar_sdk import Asset, Payment, TransactionEnvelope

from deploy.sandbox.horizon.ledger.queue import AGE_MAX
from tests.support.chain import address
from tests.support.horizon import Sandbox
from tests.support.sse import events


def pay(amount: int = 1, to: str = "bob") -> Payment:
    return Payment(address(to), Asset.native(), str(amount))


async def applied(chain: Sandbox, envelope: TransactionEnvelope) -> bool:
    """Whether it is in a ledger, whatever Horizon says."""
    await chain.node.close()
    return chain.node.reads.transaction(envelope.hash_hex(), as_of=chain.node.latest) is not None


ANSWERS = [
    ("not_found", 404, "not_found"),
    ("rate_limited", 429, "rate_limit_exceeded"),
    ("stale_history", 503, "stale_history"),
    ("gateway_timeout", 504, "timeout"),
]


@pytest.mark.parametrize(("fault", "status", "kind"), ANSWERS)
async def test_a_question_is_answered_wrongly_as_often_as_a_rule_says(chain: Sandbox, fault: str, status: int, kind: str) -> None:
    path = f"/accounts/{address('ann')}"
    name = await chain.fault(fault, match={"path": "/accounts/*"}, nth=[2])
    answers = [await chain.http.get(path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, status, 200]
    assert answers[1].json()["type"] == f"https://stellar.org/horizon-errors/{kind}"
    assert (await chain.http.get("/fee_stats")).status_code == 200
    assert await chain.fired(name) == 1


WHENS = [("before", False), ("accepted", True), ("applied", True)]


@pytest.mark.parametrize(("when", "is_applied"), WHENS)
@pytest.mark.parametrize(
    "fault", ["gateway_timeout", "bad_sequence", "cut", "cut_midway", "garbage", "try_again_later", "not_found"]
)
async def test_a_submission_goes_wrong_before_or_after_the_network_has_it(
    chain: Sandbox, fault: str, when: str, *, is_applied: bool
) -> None:
    envelope = chain.build("ann", pay())
    await chain.fault(fault, when=when, match={"method": "post", "account": address("bob")})
    asked = asyncio.create_task(chain.submit(envelope))
    async with asyncio.timeout(20):
        while not asked.done():
            if when == "applied" and len(chain.node.chain.queue):
                await chain.node.close()
            await asyncio.sleep(0)
    if fault in {"cut", "cut_midway"}:
        assert isinstance(asked.exception(), httpx.TransportError)
    else:
        expected = {"gateway_timeout": 504, "bad_sequence": 400, "garbage": 200, "try_again_later": 503, "not_found": 404}
        assert asked.result().status_code == expected[fault]
    assert await applied(chain, envelope) is is_applied


async def test_what_the_network_refuses_is_not_waited_for(chain: Sandbox) -> None:
    await chain.fault("gateway_timeout", when="applied")
    async with asyncio.timeout(20):
        assert (await chain.submit(chain.build("ann", pay(), sequence=5))).status_code == 504


async def test_a_false_bad_sequence_looks_like_a_true_one(chain: Sandbox) -> None:
    await chain.fault("bad_sequence", times=2)
    envelope = chain.build("ann", pay())
    waiting = await chain.http.post("/transactions", data={"tx": envelope.to_xdr()})
    assert waiting.json()["extras"]["result_codes"] == {"transaction": "tx_bad_seq"}
    assert (await chain.submit(envelope)).json()["tx_status"] == "ERROR"
    assert (await chain.submit(envelope)).json()["tx_status"] == "PENDING"


async def test_a_lost_transaction_was_taken_and_is_in_no_ledger_until_it_is_sent_in_a_bump(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay())
    await chain.fault("lose", match={"hash": envelope.hash_hex()}, times=1)
    assert (await chain.submit(envelope)).status_code == 201
    for _ in range(AGE_MAX):
        assert not await applied(chain, envelope)
    assert (await chain.submit(envelope)).json()["tx_status"] == "TRY_AGAIN_LATER"


async def test_a_lagging_reader_sees_one_consistent_past(chain: Sandbox) -> None:
    here = chain.here
    for amount in (1, 2, 3):
        await chain.apply(chain.build("ann", pay(amount)))
    path = f"/accounts/{address('ann')}"
    now = (await chain.http.get(path)).json()
    await chain.fault("lag", lag=[2])
    answer = await chain.http.get(path)
    past = answer.json()
    assert int(now["sequence"]) - int(past["sequence"]) == 2
    assert answer.headers["Latest-Ledger"] == str(chain.node.latest - 2)
    assert [each["amount"] for each in await chain.records(f"{path}/payments", cursor=here)] == ["1.0000000"]
    assert (await chain.get("/"))["history_latest_ledger"] == chain.node.latest - 2
    assert (await chain.http.get(f"/ledgers/{chain.node.latest}")).status_code == 404


async def test_replicas_take_turns_and_contradict_each_other(chain: Sandbox) -> None:
    (transaction,) = await chain.apply(chain.build("ann", pay()))
    await chain.fault("lag", lag=[0, 1])
    answers = [(await chain.http.get(f"/transactions/{transaction['hash']}")).status_code for _ in range(4)]
    assert answers == [200, 404, 200, 404]


async def test_a_submission_that_waits_waits_for_its_lagging_reader(chain: Sandbox) -> None:
    await chain.fault("lag", lag=[1], match={"method": "POST"})
    envelope = chain.build("ann", pay())
    asked = asyncio.create_task(chain.http.post("/transactions", data={"tx": envelope.to_xdr()}))
    while not len(chain.node.chain.queue):
        await asyncio.sleep(0)
    await chain.node.close()
    assert not asked.done()
    await chain.node.close()
    assert (await asked).status_code == 200


RECORDS: list[tuple[str, dict[str, Any], list[int]]] = [
    ("drop", {"positions": [1]}, [1, 3, 4]),
    ("duplicate", {"positions": [0, 2]}, [1, 1, 2, 3, 3, 4]),
    ("drop", {"share": 1.0}, []),
    ("patch", {"patch": {"amount": "9.0000000"}, "positions": [3]}, [1, 2, 3, 9]),
]


@pytest.mark.parametrize(("fault", "rule", "amounts"), RECORDS)
async def test_pages_are_handed_out_wrong(chain: Sandbox, fault: str, rule: dict[str, Any], amounts: list[int]) -> None:
    here = chain.here
    await chain.apply(chain.build("ann", *(pay(amount) for amount in (1, 2, 3, 4))))
    await chain.fault(fault, match={"path": "*/payments"}, **rule)
    records = await chain.records(f"/accounts/{address('bob')}/payments", cursor=here)
    assert [int(float(each["amount"])) for each in records] == amounts


async def test_a_page_comes_in_another_order_but_the_same_for_the_same_seed(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", *(pay(amount) for amount in range(1, 9))))
    right = [each["id"] for each in await chain.records("/effects", limit=200)]
    orders = []
    for _ in range(2):
        name = await chain.fault("reorder", match={"path": "/effects"}, seed=7)
        orders.append([each["id"] for each in await chain.records("/effects", limit=200)])
        await chain.http.delete(f"/sandbox/faults/{name}")
    assert orders[0] == orders[1] != right
    assert sorted(orders[0]) == sorted(right)


async def test_a_page_is_handed_out_twice(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", *(pay(amount) for amount in range(1, 5))))
    await chain.fault("repeat", match={"path": "/payments"})
    first = await chain.records("/payments", limit=2)
    assert await chain.records("/payments", limit=2, cursor=first[-1]["paging_token"]) == first


async def test_a_ledger_counts_other_operations_than_it_has(chain: Sandbox) -> None:
    await chain.fault("patch", patch={"operation_count": 77}, match={"path": "/ledgers/*"})
    assert (await chain.get(f"/ledgers/{chain.node.latest}"))["operation_count"] == 77


async def test_fees_seem_to_spike(chain: Sandbox) -> None:
    await chain.fault("patch", patch={"fee_charged": {"p95": "50000"}}, match={"path": "/fee_stats"})
    assert (await chain.get("/fee_stats"))["fee_charged"] == {"p95": "50000"}


async def test_answers_are_slow(chain: Sandbox) -> None:
    await chain.fault("slow", seconds=0.05, match={"path": "/fee_stats"})
    before = asyncio.get_running_loop().time()
    await chain.get("/fee_stats")
    assert asyncio.get_running_loop().time() - before >= 0.05


async def test_an_answer_is_torn(chain: Sandbox) -> None:
    await chain.fault("cut_midway", when="accepted", match={"path": "/fee_stats"})
    with pytest.raises(httpx.RemoteProtocolError):
        await chain.http.get("/fee_stats")


async def test_an_answer_is_half_of_its_json(chain: Sandbox) -> None:
    await chain.fault("broken_json", when="accepted", match={"path": "/fee_stats"})
    answer = await chain.http.get("/fee_stats")
    assert (answer.status_code, answer.text[:1]) == (200, "{")
    with pytest.raises(ValueError, match="line 1"):
        answer.json()


async def test_an_answer_is_no_json(chain: Sandbox) -> None:
    await chain.fault("garbage", match={"path": "/fee_stats"})
    answer = await chain.http.get("/fee_stats")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


class TestStreams:
    path = f"/accounts/{address('bob')}/payments"

    @pytest.fixture
    async def cursor(self, chain: Sandbox) -> int:
        """Behind it are four payments, of 1 to 4."""
        here = chain.here
        await chain.apply(chain.build("ann", *(pay(amount) for amount in (1, 2, 3, 4))))
        return here

    async def amounts(self, chain: Sandbox, count: int, cursor: int) -> list[int]:
        async with asyncio.timeout(20), events(chain.http, self.path, cursor=cursor) as stream:
            return [int(float(each["amount"])) for each in await stream.take(count)]

    async def test_events_are_left_out_doubled_and_shuffled(self, chain: Sandbox, cursor: int) -> None:
        match = {"is_stream": True}
        for fault, rule, seen in (
            ("drop", {"positions": [1]}, [1, 3, 4]),
            ("duplicate", {"positions": [0]}, [1, 1, 2, 3, 4]),
            ("reorder", {"seed": 3}, None),
        ):
            name = await chain.fault(fault, match=match, **rule)
            amounts = await self.amounts(chain, 4 if seen is None else len(seen), cursor)
            assert amounts == seen if seen is not None else sorted(amounts) == [1, 2, 3, 4] != amounts
            await chain.http.delete(f"/sandbox/faults/{name}")

    async def test_a_stream_is_cut_after_some_events(self, chain: Sandbox, cursor: int) -> None:
        await chain.fault("cut", after=2, match={"is_stream": True})
        async with asyncio.timeout(20), events(chain.http, self.path, cursor=cursor) as stream:
            with pytest.raises(httpx.TransportError):
                await stream.take(4)
        assert len(stream.ids) == 2
        assert len(await chain.records(self.path, cursor=cursor)) == 4, "pages are not cut"

    async def test_events_have_no_ids(self, chain: Sandbox) -> None:
        await chain.fault("no_ids")
        async with asyncio.timeout(20), events(chain.http, "/payments", cursor="0") as stream:
            await stream.take(2)
        assert stream.ids == ["", ""]

    async def test_a_stream_stays_open_and_says_nothing(self, chain: Sandbox) -> None:
        await chain.fault("stall", seconds=30)
        async with events(chain.http, "/payments", cursor="0") as stream:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await stream.take(1)
        assert stream.opened

    async def test_a_stream_of_a_lagging_reader_is_late_and_loses_nothing(self, chain: Sandbox, cursor: int) -> None:
        await chain.fault("lag", lag=[1], match={"is_stream": True})
        async with asyncio.timeout(20), events(chain.http, self.path, cursor=cursor) as stream:
            taking = asyncio.create_task(stream.take(4))
            while not stream.opened:
                await asyncio.sleep(0)
            assert not taking.done()
            await chain.node.close()
            assert len(await taking) == 4


async def test_dice_fall_the_same_for_the_same_seed(chain: Sandbox) -> None:
    async def fall() -> list[int]:
        name = await chain.fault("not_found", probability=0.5, seed=11, match={"path": "/fee_stats"})
        codes = [(await chain.http.get("/fee_stats")).status_code for _ in range(20)]
        await chain.http.delete(f"/sandbox/faults/{name}")
        return codes

    first = await fall()
    assert set(first) == {200, 404}
    assert await fall() == first


BAD_RULES: list[dict[str, Any]] = [
    {},
    {"fault": "unknown"},
    {"fault": "drop"},
    {"fault": "patch"},
    {"fault": "lag", "lag": "two"},
    {"fault": "not_found", "surprise": 1},
]


@pytest.mark.parametrize("rule", BAD_RULES)
async def test_a_rule_that_could_do_nothing_is_refused(chain: Sandbox, rule: dict[str, Any]) -> None:
    answer = await chain.http.post("/sandbox/faults", json=rule)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "bad_request")


async def test_rules_are_counted_replaced_and_ended(chain: Sandbox) -> None:
    for _ in range(2):
        assert await chain.fault("not_found", name="mine", match={"path": "/fee_stats"}, times=1) == "mine"
    for _ in range(3):
        await chain.http.get("/fee_stats")
    ((rule),) = (await chain.get("/sandbox/faults"))["rules"]
    assert (rule["seen"], rule["fired"]) == (3, 1)
    assert (await chain.http.delete("/sandbox/faults/yours")).status_code == 404
    assert (await chain.http.delete("/sandbox/faults")).status_code == 204
    assert (await chain.get("/sandbox/faults"))["rules"] == []
