"""Large withdrawals take a code of the user's second factor: once, and whoever dies."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from libs.common.contracts.commands.payouts import ConfirmSecondFactor, EnrolSecondFactor, RemoveSecondFactor
from libs.common.contracts.queries.payouts import GetSecondFactor, RevealSecondFactor
from libs.common.kernel.ids import new_id
from tests.support.market import Refused, codes
from tests.support.second_factors import code_of
from tests.support.withdrawals import Desk
from tests.support.workers import settings, until

pytestmark = pytest.mark.integration


@pytest.fixture
async def desk(postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Desk]:
    async with Desk.on(settings(postgres_url, amqp_url, bus_prefix)) as made, AsyncExitStack() as running:
        await running.enter_async_context(made.ledger())
        await running.enter_async_context(made.payouts(second_factor_over=100))
        yield made


async def _begin(desk: Desk) -> tuple[str, str, str]:
    """A user with money whose factor is being set up: user, factor, secret."""
    user, factor = await desk.user(balance=1_000), new_id("fac")

    async def is_begun() -> bool:
        try:
            await desk.do(EnrolSecondFactor(user, factor), service="payouts")
        except Refused:
            return False  # the wallet is made a moment after its user
        return True

    await until(is_begun)
    shown = await desk.query(RevealSecondFactor(user, factor), "payouts")
    assert shown["uri"].startswith(f"otpauth://totp/OFFER-HUB%3A{user}?secret={shown['secret']}")
    return user, factor, shown["secret"]


async def _reason(desk: Desk, command: Any) -> str:
    with pytest.raises(Refused) as refused:
        await desk.do(command, service="payouts")
    return f"{refused.value.code} {refused.value.details.get('reason', '')}".strip()


async def test_a_large_withdrawal_takes_a_code_and_the_code_only_once(desk: Desk) -> None:
    user, factor, secret = await _begin(desk)
    terms: dict[str, Any] = {"units": 101, "second_factor_code": code_of(secret, steps=1)}
    with pytest.raises(Refused, match="SECOND_FACTOR_REQUIRED"):
        await desk.withdraw(user, **terms)  # it is not confirmed yet
    confirmed = await desk.do(ConfirmSecondFactor(user, code_of(secret)), service="payouts")
    assert confirmed["status"] == "ACTIVE"
    with pytest.raises(Refused, match="SECOND_FACTOR_REQUIRED"):
        await desk.withdraw(user, 101)
    with pytest.raises(Refused, match="INVALID_STATE"):
        await desk.query(RevealSecondFactor(user, factor), "payouts")  # its key is never shown again
    assert await _reason(desk, desk.terms(new_id("wth"), user, 101, second_factor_code=code_of(secret))) == (
        "SECOND_FACTOR_INVALID USED"
    )
    assert await codes([desk.withdraw(user, **terms) for _ in range(3)]) == ["WITHDRAWAL_IN_PROGRESS"] * 2 + ["ok"]
    await desk.owner.execute("DELETE FROM payouts.withdrawals_in_flight WHERE user_id = $1", user)
    assert await _reason(desk, desk.terms(new_id("wth"), user, 101, second_factor_code=code_of(secret, steps=1))) == (
        "SECOND_FACTOR_INVALID USED"
    )
    await desk.withdraw(user, 100)


async def test_guessing_is_stopped_and_support_removes_what_was_lost(desk: Desk) -> None:
    user, _, secret = await _begin(desk)
    await desk.do(ConfirmSecondFactor(user, code_of(secret)), service="payouts")
    assert await _reason(desk, EnrolSecondFactor(user, new_id("fac"))) == "INVALID_STATE"
    wrong = str((int(code_of(secret, steps=20)) + 1) % 10**6).zfill(6)
    told = [await _reason(desk, ConfirmSecondFactor(user, wrong)) for _ in range(6)]
    assert told == ["SECOND_FACTOR_INVALID WRONG"] * 5 + ["SECOND_FACTOR_INVALID LOCKED"]
    await desk.do(RemoveSecondFactor(user), service="payouts")
    with pytest.raises(Refused, match="SECOND_FACTOR_NOT_FOUND"):
        await desk.query(GetSecondFactor(user), "payouts")


async def test_no_table_holds_the_key(desk: Desk, postgres_url: str) -> None:
    *_, secret = await _begin(desk)
    connection = await asyncpg.connect(postgres_url)
    tables = await connection.fetch("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace > 16000")
    for (table,) in tables:
        assert not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table} t WHERE t::text LIKE $1)", f"%{secret}%"), table
    await connection.close()
