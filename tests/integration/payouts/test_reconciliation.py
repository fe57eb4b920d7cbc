"""Chain and books are compared to the stroop; what is nobody's waits until a person says whose it is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from stellar_sdk import Asset, Claimant, CreateClaimableBalance, Payment

from libs.common.kernel.money import UNIT
from services.payouts.entrypoints.deposit_desk import deposits
from services.payouts.settings import PayoutsSettings
from tests.support.chain import address
from tests.support.deposits import USDC, Till, till
from tests.support.payouts import PAYOUTS
from tests.support.workers import ROLE_SECRET, settings, until

pytestmark = pytest.mark.integration


@pytest.fixture
async def desk(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Till]:
    async with till(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened, opened.desk.ledger():
        await opened.desk.owner.execute("TRUNCATE payouts.tallies, payouts.slots CASCADE")
        await opened.desk.owner.execute("DELETE FROM payouts.withdrawals")
        yield opened


async def compared(desk: Till, currency: str = "USD") -> tuple[int, int, int]:
    """What was found of a currency, after the newest ledger: (held, booked, unbooked) in stroops."""
    await desk.is_caught_up()
    await desk.desk.owner.execute("UPDATE payouts.tallies SET compared_at = now() - interval '1 day'")
    fresh = "SELECT held, booked, unbooked FROM payouts.tallies WHERE currency = $1 AND compared_at > now() - interval '1 hour'"
    [row] = await until(lambda: desk.desk.owner.fetch(fresh, currency))
    return row["held"], row["booked"], row["unbooked"]


def shown(currency: str) -> float | None:
    return REGISTRY.get_sample_value("offerhub_reconciliation_difference_stroops", {"currency": currency})


async def test_chain_and_books_agree_to_the_stroop_and_what_left_unseen_is_told(desk: Till) -> None:
    ana, ben = await desk.users(2)
    async with desk.payouts():
        await desk.pay((ana, "12.3456789"), (ben, "0.0000001"))
        await desk.do(Payment(desk.address(ben), Asset.native(), "3"), Payment(address("treasury"), USDC, "4"))
        held = 123_456_790 + 4 * UNIT
        assert await compared(desk) == (held, 123_456_790, 4 * UNIT)
        assert await compared(desk, "XLM") == (3 * UNIT, 3 * UNIT, 0)
        swept = Payment(address("treasury"), USDC, "12", source=desk.address(ana))
        await desk.do(swept, signers=["payer", desk.wallets[ana]])
        assert await compared(desk) == (held, 123_456_790, 4 * UNIT)
        await until(lambda: told("USD", 0))
        await desk.do(Payment(address("payer"), USDC, "5", source=address("treasury")), signers=["payer", "treasury"])
        assert await compared(desk) == (held - 5 * UNIT, 123_456_790, 4 * UNIT)
        await until(lambda: told("USD", -5 * UNIT))


async def test_what_could_be_claimed_is_shown_and_counted_as_nothing(desk: Till) -> None:
    [ana] = await desk.users()
    offers = [Claimant(desk.address(ana)), Claimant(address("payer"))]
    async with desk.payouts():
        await desk.do(
            CreateClaimableBalance(USDC, "7", offers),
            CreateClaimableBalance(Asset("SCAM", address("payer")), "1000000", offers),
            CreateClaimableBalance(Asset.native(), "1", [Claimant(address("payer"))]),
        )
        await desk.pay((ana, "2"))
        assert await compared(desk) == (2 * UNIT, 2 * UNIT, 0)
        await until(lambda: told("USD", 0))
    assert await desk.credited() == {(ana, "USD"): 2 * UNIT}
    assert await desk.suspense() == [("CLAIMABLE", "USDC", 7 * UNIT)]
    assert REGISTRY.get_sample_value("offerhub_deposits_claimable") == 1
    offer = await desk.desk.owner.fetchval("SELECT id FROM payouts.deposits WHERE status = 'SUSPENSE'")
    values: dict[str, Any] = PAYOUTS | {"database_url": desk.desk.config.database_url, "db_role_secret": ROLE_SECRET}
    assert await deposits(PayoutsSettings(**values), ("credit", offer, desk.desk.tenant, ana)) == 1
    assert await deposits(PayoutsSettings(**values), ("keep", offer)) == 0


async def told(currency: str, stroops: int) -> bool:
    return shown(currency) == stroops


async def test_a_person_says_whose_a_deposit_is(desk: Till, capsys: pytest.CaptureFixture[str]) -> None:
    [ana] = await desk.users()
    owner_url = desk.desk.config.database_url
    values: dict[str, Any] = PAYOUTS | {"database_url": owner_url, "db_role_secret": ROLE_SECRET}
    config = PayoutsSettings(**values)

    async def ask(*words: str) -> tuple[int, str]:
        code = await deposits(config, words)
        output = capsys.readouterr()
        return code, output.out + output.err

    async with desk.payouts():
        await desk.do(Payment(address("treasury"), USDC, "4.5"), memo=("add_text_memo", "Ana"))
        await desk.do(Payment(address("treasury"), USDC, "1"), Payment(address("treasury"), USDC, "2"))
        await desk.is_caught_up()
        waiting = [row[0] for row in await desk.desk.owner.fetch("SELECT id FROM payouts.deposits ORDER BY operation_id")]
        code, printed = await ask()
        assert code == 0
        assert f"{waiting[0]} UNKNOWN_MEMO: 4.50 USDC:{address('issuer')} from {address('payer')}, memo text:Ana" in printed
        assert (await ask("credit", waiting[0], desk.desk.tenant, "usr_nobody"))[0] == 0
        await until(
            lambda: desk.desk.owner.fetchval("SELECT reason = 'USER_NOT_FOUND' FROM payouts.deposits WHERE id = $1", waiting[0])
        )
        assert (await ask("credit", waiting[0], desk.desk.tenant, ana))[0] == 0
        assert (await ask("keep", waiting[1]))[0] == 0
        assert (await ask("keep", waiting[1]))[0] == 1
        assert (await ask("credit", waiting[1], desk.desk.tenant, ana))[0] == 1
        assert (await ask("what"))[0] == 2
        await desk.is_caught_up()
        assert await desk.credited() == {(ana, "USD"): 45_000_000}
        assert await desk.suspense() == [("NO_MEMO", "USDC", 2 * UNIT)]
        assert await compared(desk) == (75_000_000, 45_000_000, 3 * UNIT)
