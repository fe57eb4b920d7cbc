"""Each payment to a user's wallet is credited exactly once and to the stroop, by the chain's own account of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import (
    AccountMerge,
    Asset,
    BeginSponsoringFutureReserves,
    ChangeTrust,
    CreateAccount,
    EndSponsoringFutureReserves,
    MuxedAccount,
    PathPaymentStrictReceive,
    PathPaymentStrictSend,
    Payment,
    TransactionBuilder,
)

from libs.common.contracts.commands.ledger import UpdateUser
from libs.common.contracts.queries.payouts import ListWalletTransactions
from libs.common.kernel.money import UNIT
from libs.common.messaging import faults
from tests.support.chain import PASSPHRASE, address, key
from tests.support.deposits import USDC, Till, till
from tests.support.market import die_in
from tests.support.oracles import books_hold
from tests.support.workers import kill, settings, until

pytestmark = pytest.mark.integration

POINTS = [point for point in faults.POINTS if point.startswith("scan.")]
XLM = Asset.native()


@pytest.fixture
async def desk(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Till]:
    async with till(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened, opened.desk.ledger():
        yield opened


async def test_whatever_brings_money_is_credited_once_and_exactly(desk: Till) -> None:
    ana, ben = await desk.users(2)
    to_ana, to_ben = desk.address(ana), desk.address(ben)
    await desk.chain.accounts("leaver")
    async with desk.payouts():
        await desk.pay((ana, "12.3456789"), (ben, "0.0000001"), (ana, "12.3456789"))
        await desk.do(Payment(MuxedAccount(to_ana, 7), USDC, "1"), Payment(to_ben, XLM, "2.5"))
        await desk.do(
            PathPaymentStrictReceive(to_ana, USDC, "4", USDC, "3", []), PathPaymentStrictSend(to_ben, USDC, "5", USDC, "1", [])
        )
        await desk.do(AccountMerge(to_ben), payer="leaver")
        bump = TransactionBuilder.build_fee_bump_transaction(
            key("sponsor"), 200, desk.chain.build("payer", Payment(to_ana, USDC, "6")), PASSPHRASE
        )
        bump.sign(key("sponsor"))
        await desk.chain.apply(bump)
        await desk.is_right()
        assert (await desk.credited())[ana, "USD"] == 2 * 123_456_789 + (1 + 3 + 6) * UNIT
        assert (await desk.credited())[ben, "USD"] == 1 + 5 * UNIT
    deposits = await desk.desk.owner.fetch("SELECT kind, status FROM payouts.deposits ORDER BY operation_id")
    by_path = ["path_payment_strict_receive", "path_payment_strict_send"]
    assert [row[0] for row in deposits] == [*["payment"] * 5, *by_path, "account_merge", "payment"]
    assert {row[1] for row in deposits} == {"CREDITED"}
    assert await desk.suspense() == []
    await books_hold(desk.desk.owner)


async def test_what_failed_or_went_elsewhere_is_nobodys_deposit(desk: Till) -> None:
    [ana] = await desk.users()
    async with desk.payouts():
        await desk.do(Payment(desk.address(ana), USDC, "5"), Payment(address("nobody"), USDC, "1"))
        await desk.do(Payment(address("issuer"), USDC, "5"))
        await desk.is_right()
    assert await desk.credited() == {}
    assert await desk.desk.owner.fetchval("SELECT count(*) FROM payouts.deposits") == 0


async def test_a_number_tells_whose_a_payment_to_the_treasury_is_and_without_it_it_waits(desk: Till) -> None:
    ana, ben, cleo = await desk.users(3)
    treasury = address("treasury")
    async with desk.payouts():
        await desk.do(Payment(treasury, USDC, "1"), memo=("add_id_memo", await desk.memo(ana)))
        await desk.do(Payment(treasury, USDC, "2"), memo=("add_text_memo", str(await desk.memo(ben))))
        await desk.do(Payment(MuxedAccount(treasury, await desk.memo(cleo)), USDC, "3"), memo=("add_id_memo", 1))
        await desk.do(Payment(treasury, USDC, "4"))
        await desk.do(Payment(treasury, USDC, "5"), memo=("add_id_memo", 2**64 - 1))
        await desk.do(Payment(treasury, XLM, "6"), memo=("add_text_memo", "for Ana"))
        await desk.is_caught_up()
    assert await desk.credited() == {(ana, "USD"): UNIT, (ben, "USD"): 2 * UNIT, (cleo, "USD"): 3 * UNIT}
    assert await desk.suspense() == [
        ("NO_MEMO", "USDC", 4 * UNIT),
        ("UNKNOWN_MEMO", "USDC", 5 * UNIT),
        ("UNKNOWN_MEMO", "native", 6 * UNIT),
    ]


async def test_an_unknown_asset_waits_and_what_is_ours_already_is_none(desk: Till) -> None:
    [ana] = await desk.users()
    other = Asset("USDC", address("payer"))
    sponsored = [BeginSponsoringFutureReserves(address("treasury")), ChangeTrust(other, source=address("treasury"))]
    ended = EndSponsoringFutureReserves(address("treasury"))
    await desk.do(*sponsored, ended, payer="sponsor", signers=["sponsor", "treasury"])
    async with desk.payouts():
        await desk.pay((ana, "9"))
        await desk.do(Payment(address("treasury"), USDC, "8", source=desk.address(ana)), signers=["payer", desk.wallets[ana]])
        await desk.do(Payment(desk.address(ana), XLM, "3"), payer="sponsor")
        await desk.do(Payment(address("treasury"), other, "7"), memo=("add_id_memo", await desk.memo(ana)))
        await desk.is_caught_up()
    assert await desk.credited() == {(ana, "USD"): 9 * UNIT}
    assert await desk.suspense() == [("UNKNOWN_ASSET", "USDC", 7 * UNIT)]


async def test_a_suspended_user_is_credited_and_one_the_books_do_not_know_is_kept_in_suspense(desk: Till) -> None:
    ana, ben = await desk.users(2)
    await desk.desk.do(UpdateUser(ana, status="SUSPENDED"), service="ledger")
    await desk.desk.owner.execute("UPDATE payouts.wallets SET user_id = 'usr_nobody' WHERE user_id = $1", ben)
    async with desk.payouts():
        await desk.pay((ana, "1"), (ben, "2"))
        await desk.is_caught_up()
    assert await desk.credited() == {(ana, "USD"): UNIT}
    assert await desk.suspense() == [("USER_NOT_FOUND", "USDC", 2 * UNIT)]


async def test_payouts_killed_at_any_point_of_a_scan_credits_once(desk: Till) -> None:
    ana, ben = await desk.users(2)
    for point in POINTS:
        for time in (1, 2):
            async with desk.payouts() as first:
                died = die_in("payouts", point, after=time)
                while not died.is_set():
                    await desk.pay((ana, "1.5"), (ben, "0.0000001"))
                await kill(first)
            faults.clear_traps()
            await desk.hurry()
            async with desk.payouts():
                await desk.is_right()
    await books_hold(desk.desk.owner)


HISTORY = {"path": "/transactions"}
LEDGERS = {"path": "/ledgers"}
ANY = {"method": "GET", "path": "/[lt]*"}
LIES: dict[str, dict[str, Any]] = {
    "a transaction left out": {"fault": "drop", "match": HISTORY, "positions": [0], "times": 3},
    "a transaction twice": {"fault": "duplicate", "match": HISTORY, "positions": [0], "times": 3},
    "in another order": {"fault": "reorder", "match": HISTORY, "times": 3, "seed": 3},
    "the page before": {"fault": "repeat", "match": HISTORY, "times": 3},
    "another ledger's": {"fault": "patch", "match": HISTORY, "patch": {"ledger": 3}, "times": 3},
    "another result": {"fault": "patch", "match": HISTORY, "patch": {"result_xdr": "AAAAAAAAAGQAAAAAAAAAAA=="}, "times": 3},
    "another transaction's hash": {"fault": "patch", "match": HISTORY, "patch": {"hash": "ab" * 32}, "times": 3},
    "no hash": {"fault": "patch", "match": HISTORY, "patch": {"hash": "what"}, "times": 3},
    "a ledger left out": {"fault": "drop", "match": LEDGERS, "positions": [0], "times": 3},
    "a ledger twice": {"fault": "duplicate", "match": LEDGERS, "positions": [0], "times": 3},
    "ledgers in another order": {"fault": "reorder", "match": LEDGERS, "times": 3, "seed": 1},
    "no header": {"fault": "patch", "match": LEDGERS, "patch": {"header_xdr": "AAAA"}, "times": 3},
    "replicas that lag": {"fault": "lag", "lag": [0, 3, 1], "times": 20},
    "half an answer": {"fault": "cut_midway", "match": ANY, "times": 3},
    "half the JSON": {"fault": "broken_json", "match": ANY, "times": 3},
    "HTML": {"fault": "garbage", "match": ANY, "times": 3},
    "too many requests": {"fault": "rate_limited", "match": ANY, "times": 5},
    "a gateway's timeout": {"fault": "gateway_timeout", "match": ANY, "times": 3},
    "stale history": {"fault": "stale_history", "match": ANY, "times": 3},
    "a false 404": {"fault": "not_found", "match": ANY, "times": 3},
}


async def test_a_horizon_that_lies_loses_nothing_and_doubles_nothing(desk: Till) -> None:
    ana, ben = await desk.users(2)
    async with desk.payouts():
        await desk.is_caught_up()
        for lie, rule in LIES.items():
            name = await desk.chain.fault(**rule)
            for _ in range(2):
                both = [desk.chain.build("payer", Payment(desk.address(ana), USDC, "0.1"), Payment(desk.address(ben), USDC, "1"))]
                both.append(desk.chain.build("issuer", Payment(desk.address(ana), USDC, "0.01")))
                await asyncio.gather(*(desk.chain.submit(each) for each in both))
                await desk.chain.node.close()
            for _ in range(4):
                await desk.chain.node.close()
            await desk.is_right()
            assert await desk.chain.fired(name) > 0, lie
            await desk.chain.http.delete("/sandbox/faults")
    assert await desk.suspense() == []
    await books_hold(desk.desk.owner)


async def test_a_page_that_was_tampered_with_is_not_believed_however_often_it_is_shown(desk: Till) -> None:
    """More for Ana than she was sent: the envelope is another one then, and no ledger has its hash."""
    [ana] = await desk.users()
    async with desk.payouts():
        await desk.is_caught_up()
        forged = desk.chain.build("payer", Payment(desk.address(ana), USDC, "1000"))
        name = await desk.chain.fault("patch", match=HISTORY, patch={"envelope_xdr": forged.to_xdr()})
        await desk.pay((ana, "1"))

        async def was_shown_often() -> bool:
            return await desk.chain.fired(name) > 5

        await until(was_shown_often)
        assert await desk.credited() == {}
        await desk.chain.http.delete("/sandbox/faults")
        await desk.is_right()
    assert await desk.credited() == {(ana, "USD"): UNIT}


async def test_a_chain_that_does_not_go_on_from_what_is_known_is_not_followed(desk: Till) -> None:
    """The sandbox begins anew, or another network is behind the same address."""
    [ana] = await desk.users()
    async with desk.payouts():
        await desk.pay((ana, "1"))
        await desk.is_right()
        [known] = await desk.desk.owner.fetch("SELECT ledger, hash FROM payouts.scans")
        await desk.desk.owner.execute("UPDATE payouts.scans SET hash = $1", bytes(32))
        await desk.pay((ana, "1"))
        name = await desk.chain.fault("slow", match=LEDGERS)

        async def was_asked_often() -> bool:
            return await desk.chain.fired(name) > 3

        await until(was_asked_often)
        assert await desk.desk.owner.fetchval("SELECT ledger FROM payouts.scans") == known["ledger"]
        await desk.desk.owner.execute("UPDATE payouts.scans SET hash = $1", known["hash"])
        await desk.is_right()


async def test_two_that_scan_at_once_credit_once(desk: Till) -> None:
    """The second takes the lease over again and again, as if the first were paused whenever it works."""
    ana, ben = await desk.users(2)

    async def steal() -> None:
        while True:
            await desk.desk.owner.execute("UPDATE payouts.scans SET lease_until = now() - interval '1 second'")
            await asyncio.sleep(0.005)

    async with desk.payouts(), desk.payouts():
        thief = asyncio.create_task(steal())
        for _ in range(20):
            await desk.pay((ana, "1"), (ben, "0.3"))
        thief.cancel()
        await asyncio.gather(thief, return_exceptions=True)
        await desk.is_right()
    await books_hold(desk.desk.owner)


async def test_deposits_of_a_week_are_found_and_what_is_missing_would_show(
    tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str
) -> None:
    """Payouts is away for seven days of the chain's time; every ledger of them is proved when it is back."""
    week, step, count = 7 * 86_400, 2_400, 600
    config = settings(postgres_url, amqp_url, bus_prefix)
    async with till(tmp_path / "chain", config, virtual_start=1_700_000_000, virtual_step=step) as desk, desk.desk.ledger():
        users = await desk.users(10)
        async with desk.payouts():
            await desk.is_caught_up()
        began = await desk.desk.owner.fetchval("SELECT closed_at FROM payouts.scans")
        for number in range(count // 100):
            await desk.pay(*((users[place % 10], f"0.{number * 100 + place + 1:07d}") for place in range(100)))
            await desk.chain.http.post("/sandbox/ledgers", json={"count": week // step * 100 // count})
        async with desk.payouts():
            await desk.is_right()
        ended = await desk.desk.owner.fetchval("SELECT closed_at FROM payouts.scans")
        assert (ended - began).total_seconds() >= week
        assert await desk.desk.owner.fetchval("SELECT count(*) FROM payouts.deposits WHERE status = 'CREDITED'") == count


async def test_the_first_scan_begins_before_the_first_wallet_was_made(desk: Till) -> None:
    """Horizon was away when the first users came, and their deposits were there before it was."""
    [ana] = await desk.users()
    await desk.pay((ana, "1"))
    for _ in range(10):
        await desk.chain.node.close()
    async with desk.payouts():
        await desk.is_right()
    assert await desk.credited() == {(ana, "USD"): UNIT}


async def test_an_account_that_is_made_with_lumens_is_a_deposit_and_stands_in_its_wallets_list(desk: Till) -> None:
    user_id = await desk.user_with_wallet("latecomer")
    async with desk.payouts():
        await desk.do(CreateAccount(address("latecomer"), "3.5"))
        await desk.is_right()
        first = ListWalletTransactions(user_id, limit=1)
        [shown] = (await desk.desk.query(first, "payouts"))["data"]
        assert (shown["type"], shown["status"], shown["amount"], shown["currency"]) == ("deposit", "COMPLETED", "3.50", "XLM")
        await desk.do(Payment(address("latecomer"), XLM, "1"))
        await desk.is_right()
        page = await desk.desk.query(first, "payouts")
        assert [each["amount"] for each in page["data"]] == ["1.00"]
        rest = await desk.desk.query(ListWalletTransactions(user_id, cursor=page["data"][0]["id"]), "payouts")
        assert [each["id"] for each in rest["data"]] == [shown["id"]]
    assert await desk.credited() == {(user_id, "XLM"): 45_000_000}
