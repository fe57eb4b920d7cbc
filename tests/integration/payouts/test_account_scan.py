"""Where accounts are looked at and not ledgers, the same is credited under the same keys, and no page is believed by itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from stellar_sdk import Asset, CreateAccount, MuxedAccount, PathPaymentStrictSend, Payment, TransactionBuilder

from libs.common.contracts.queries.payouts import GetDepositAddress
from libs.common.kernel.money import UNIT
from libs.common.messaging import faults
from services.payouts.entrypoints.deposit_desk import deposits
from services.payouts.settings import PayoutsSettings
from tests.support.chain import PASSPHRASE, address, key
from tests.support.deposits import USDC, Till, till
from tests.support.market import die_in
from tests.support.oracles import books_hold
from tests.support.payouts import PAYOUTS
from tests.support.workers import ROLE_SECRET, kill, settings, until

pytestmark = pytest.mark.integration
XLM = Asset.native()
PAGES = {"path": "/accounts/*/transactions"}
MANY: dict[str, Any] = {"scan": "account", "scan_requests_per_hour": 10_000_000}
_EXPLAINED = """
SELECT count(*) FILTER (WHERE ledger >= $1 AND tries = 0) = count(*) AND count(*) > 0
   AND NOT EXISTS (SELECT FROM payouts.deposits WHERE status = 'PENDING')
  FROM payouts.account_scans
"""


@pytest.fixture
async def desk(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Till]:
    async with till(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened, opened.desk.ledger():
        yield opened


async def is_explained(desk: Till) -> None:
    """Wait until every account was looked at after the newest ledger, and holds what its transactions explain."""
    latest = desk.chain.node.latest
    await desk.desk.owner.execute("UPDATE payouts.account_scans SET due_at = now()")
    await until(lambda: desk.desk.owner.fetchval(_EXPLAINED, latest))


async def is_right(desk: Till) -> None:
    await is_explained(desk)
    assert await desk.credited() == await desk.held()


async def found(desk: Till) -> list[tuple[Any, ...]]:
    """Every deposit, but for when it was found and settled."""
    query = (
        "SELECT tenant, id, user_id, account, operation_id, ledger, transaction_hash, kind, asset, currency, amount, sender,"
        " memo, status, reason, closed_at FROM payouts.deposits ORDER BY operation_id"
    )
    return [tuple(row) for row in await desk.desk.owner.fetch(query)]


async def send_all_kinds(desk: Till, ana: str, ben: str) -> None:
    to_ana, to_ben, treasury = desk.address(ana), desk.address(ben), address("treasury")
    await desk.pay((ana, "12.3456789"), (ben, "0.0000001"), (ana, "12.3456789"))
    await desk.do(Payment(MuxedAccount(to_ana, 7), USDC, "1"), Payment(to_ben, XLM, "2.5"))
    await desk.do(PathPaymentStrictSend(to_ben, USDC, "5", USDC, "1", []))
    bump = TransactionBuilder.build_fee_bump_transaction(
        key("sponsor"), 200, desk.chain.build("payer", Payment(to_ana, USDC, "6")), PASSPHRASE
    )
    bump.sign(key("sponsor"))
    await desk.chain.apply(bump)
    await desk.do(Payment(treasury, USDC, "4"))
    await desk.do(Payment(treasury, USDC, "3"), memo=("add_id_memo", await desk.memo(ben)))
    await desk.do(Payment(to_ana, XLM, "3"), payer="sponsor")  # ours already
    await desk.do(Payment(to_ana, USDC, "5"), Payment(address("nobody"), USDC, "1"))  # it fails


async def test_the_two_ways_of_looking_find_the_same_and_changing_between_them_credits_nothing_twice(desk: Till) -> None:
    ana, ben = await desk.users(2)
    async with desk.payouts(**MANY):
        await is_explained(desk)
        await send_all_kinds(desk, ana, ben)
        await is_explained(desk)
    by_account, credited = await found(desk), await desk.credited()
    assert len(by_account) == 9
    await desk.desk.owner.execute("UPDATE payouts.scans SET lease_until = NULL")
    async with desk.payouts():
        await desk.is_caught_up()
    assert await found(desk) == by_account
    await desk.desk.owner.execute("DELETE FROM payouts.account_scans")
    async with desk.payouts(**MANY):
        await is_explained(desk)
        assert (await found(desk), await desk.credited()) == (by_account, credited)
        await desk.desk.owner.execute("TRUNCATE payouts.deposits, payouts.account_scans")
        await desk.desk.owner.execute("UPDATE payouts.scans SET ledger = NULL, hash = NULL, closed_at = NULL")
    async with desk.payouts():  # by ledgers from the beginning
        latest = desk.chain.node.latest
        await until(lambda: desk.desk.owner.fetchval("SELECT ledger >= $1 FROM payouts.scans", latest))
    assert await desk.credited() == credited
    assert [row[:12] for row in await found(desk)] == [row[:12] for row in by_account]
    await books_hold(desk.desk.owner)


async def test_payouts_killed_at_any_point_of_a_look_credits_once(desk: Till) -> None:
    ana, ben = await desk.users(2)
    for point in (each for each in faults.POINTS if each.startswith("scan.")):
        async with desk.payouts(**MANY) as first:
            died = die_in("payouts", point, after=3)
            while not died.is_set():
                await desk.pay((ana, "1.5"), (ben, "0.0000001"))
            await kill(first)
        faults.clear_traps()
        await desk.hurry()
        async with desk.payouts(**MANY):
            await is_right(desk)
    await books_hold(desk.desk.owner)


LIES: dict[str, dict[str, Any]] = {
    "a transaction left out": {"fault": "drop", "match": PAGES, "positions": [0]},
    "a transaction twice": {"fault": "duplicate", "match": PAGES, "positions": [0]},
    "in another order": {"fault": "reorder", "match": PAGES, "seed": 3},
    "the page before": {"fault": "repeat", "match": PAGES},
    "another ledger's": {"fault": "patch", "match": PAGES, "patch": {"ledger": 3}},
    "another result": {"fault": "patch", "match": PAGES, "patch": {"result_xdr": "AAAAAAAAAGQAAAAAAAAAAA=="}},
    "another transaction's hash": {"fault": "patch", "match": PAGES, "patch": {"hash": "ab" * 32}},
    "replicas that lag": {"fault": "lag", "lag": [0, 3, 1]},
    "half an answer": {"fault": "cut_midway", "match": {"path": "/accounts/*"}},
    "too many requests": {"fault": "rate_limited", "match": {"path": "/accounts/*"}},
    "a false 404": {"fault": "not_found", "match": {"path": "/accounts/*"}},
}


async def test_a_horizon_that_lies_loses_nothing_and_doubles_nothing(desk: Till) -> None:
    ana, ben = await desk.users(2)
    async with desk.payouts(**MANY):
        await is_explained(desk)
        for lie, rule in LIES.items():
            name = await desk.chain.fault(**rule, times=6)
            for _ in range(2):
                both = Payment(desk.address(ana), USDC, "0.1"), Payment(desk.address(ben), USDC, "1")
                await desk.chain.submit(desk.chain.build("payer", *both))
                await desk.chain.node.close()
            await desk.desk.owner.execute("UPDATE payouts.account_scans SET due_at = now()")

            async def was_told() -> bool:
                return await desk.chain.fired(name) > 0  # noqa: B023 - awaited in this round

            await until(was_told)
            assert lie
            await is_right(desk)
            await desk.chain.http.delete("/sandbox/faults")
    assert await desk.suspense() == []
    await books_hold(desk.desk.owner)


async def test_what_the_balance_does_not_explain_is_credited_to_nobody_until_a_person_says_so(
    desk: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page shows a payment that is in no ledger; and then a transaction is left out for good."""
    [ana, ben] = await desk.users(2)
    values: dict[str, Any] = PAYOUTS | {"database_url": desk.desk.config.database_url, "db_role_secret": ROLE_SECRET}
    async with desk.payouts(**MANY):
        await desk.pay((ana, "1"), (ben, "1"))
        await is_right(desk)
        forged = desk.chain.build("payer", Payment(desk.address(ana), USDC, "1000"))
        match = {"path": f"/accounts/{desk.address(ana)}/transactions"}
        patch = {"envelope_xdr": forged.to_xdr(), "hash": forged.hash_hex()}
        await desk.chain.fault("patch", match=match, patch=patch)
        await desk.pay((ana, "2"), (ben, "2"))
        await until(lambda: unexplained(desk, 1))
        assert await desk.credited() == {(ana, "USD"): UNIT, (ben, "USD"): 3 * UNIT}
        await desk.chain.http.delete("/sandbox/faults")
        await is_right(desk)
        await desk.chain.fault("drop", match=match, positions=[0])
        await desk.pay((ana, "4"))
        await until(lambda: unexplained(desk, 1))
        capsys.readouterr()
        assert await deposits(PayoutsSettings(**values), ()) == 0
        assert f"{desk.address(ana)} it holds +40000000 stroops of USD" in capsys.readouterr().out
        assert await deposits(PayoutsSettings(**values), ("accept", desk.address(ana))) == 0
        await is_explained(desk)
    assert await desk.credited() == {(ana, "USD"): 3 * UNIT, (ben, "USD"): 3 * UNIT}


async def unexplained(desk: Till, count: int) -> bool:
    await desk.desk.owner.execute("UPDATE payouts.account_scans SET due_at = least(due_at, now())")
    return REGISTRY.get_sample_value("offerhub_deposits_unexplained") == count


async def test_quiet_accounts_cost_nothing_and_who_is_expected_comes_first(desk: Till) -> None:
    """One request asks for all that are quiet; the one whose address was shown is looked at."""
    ana, *quiet = await desk.users(5)
    await desk.desk.owner.execute("UPDATE payouts.wallets SET created_at = now() - interval '30 days'")
    async with desk.payouts(**MANY):
        await is_explained(desk)
        await desk.desk.owner.execute("UPDATE payouts.account_scans SET due_at = now() + interval '1 day'")
        asked = [await desk.chain.fault("slow", match={"path": f"/accounts/{desk.address(user)}*"}, seconds=0) for user in quiet]
        walks = await desk.chain.fault("slow", match={"path": "/accounts"}, seconds=0)
        await desk.desk.query(GetDepositAddress(ana), "payouts")
        await desk.pay((ana, "5"))
        await until(lambda: desk.desk.owner.fetchval("SELECT count(*) FROM payouts.deposits WHERE status = 'CREDITED'"))

        async def were_walked() -> bool:
            return await desk.chain.fired(walks) > 1

        await until(were_walked)
        assert [await desk.chain.fired(name) for name in asked] == [0] * len(quiet)
    assert await desk.credited() == {(ana, "USD"): 5 * UNIT}


async def test_a_quiet_account_that_changed_is_seen_by_the_walk(desk: Till) -> None:
    [ana] = await desk.users()
    early = await desk.user_with_wallet("latecomer")
    async with desk.payouts(**MANY):
        await desk.do(CreateAccount(address("latecomer"), "3.5"))
        await is_right(desk)
        await desk.desk.owner.execute("UPDATE payouts.account_scans SET due_at = now() + interval '1 day'")
        await desk.pay((ana, "5"))
        await until(lambda: desk.desk.owner.fetchval("SELECT status = 'CREDITED' FROM payouts.deposits WHERE currency = 'USD'"))
    assert await desk.credited() == {(ana, "USD"): 5 * UNIT, (early, "XLM"): 35_000_000}
