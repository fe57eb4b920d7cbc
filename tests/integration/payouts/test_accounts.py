"""Accounts on the chain: the platform's own by `prepare`, and every wallet's, with reserves at the sponsor's expense."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from stellar_sdk import CreateAccount

from libs.common.messaging import faults
from libs.common.persistence.migrate import migrate
from libs.common.settings import ServiceSettings
from services.payouts.clients.own_keys import OwnKeys
from services.payouts.entrypoints.preparing import prepare
from services.payouts.settings import PayoutsSettings
from tests.support.bank import Bank, bank
from tests.support.chain import PASSPHRASE, address, key
from tests.support.horizon import Sandbox, sandbox
from tests.support.market import die_in
from tests.support.payouts import PAYOUTS, a_signer
from tests.support.workers import ROLE_SECRET, kill, until

pytestmark = pytest.mark.integration
POINTS = [point for point in faults.POINTS if point.startswith("creation.")]
DOLLAR = f"USDC:{address('issuer')}"


@pytest.fixture
async def house(tmp_path: Path, apart: ServiceSettings) -> AsyncIterator[Bank]:
    async with bank(tmp_path / "chain", apart) as opened:
        await opened.clear()
        yield opened


async def addresses(house: Bank) -> list[str]:
    """The tenant's wallets' addresses, and that each is ready by our own books."""
    query = "SELECT public_key, chain_state FROM payouts.wallets WHERE tenant = $1"
    rows = await house.desk.owner.fetch(query, house.desk.tenant)
    assert {row[1] for row in rows} == {"READY"}
    return [row[0] for row in rows]


async def all_ready(house: Bank, count: int) -> None:
    query = "SELECT count(*) FROM payouts.wallets WHERE tenant = $1 AND chain_state = 'READY'"

    async def are() -> bool:
        return bool(await house.desk.owner.fetchval(query, house.desk.tenant) == count)

    await until(are)


async def accounts(chain: Sandbox) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = (await chain.get("/sandbox/balances"))["accounts"]
    return found


async def test_wallets_get_accounts_that_accept_dollars_and_hold_no_lumens(house: Bank) -> None:
    before = len(await house.transactions_of(address("sponsor")))
    async with house.desk.ledger(), house.desk.payouts():
        await asyncio.gather(*(house.desk.user() for _ in range(21)))
        await until(lambda: house.desk.owner.fetchval("SELECT count(*) = 21 FROM payouts.wallets WHERE chain_state = 'WAITING'"))
    async with house.ticking(), house.payouts():
        await all_ready(house, 21)
    held = await accounts(house.chain)
    assert all(held[each] == {"native": "0.0000000", DOLLAR: "0.0000000"} for each in await addresses(house))
    assert len(await house.transactions_of(address("sponsor"))) == before + 2


@pytest.mark.parametrize("passes", [1, 2])
async def test_payouts_killed_at_any_point_of_making_accounts_makes_each_once(house: Bank, passes: int) -> None:
    made = 0
    async with house.desk.ledger(), house.ticking():
        for point in POINTS:
            before, begun = len(await house.transactions_of(address("sponsor"))), made
            async with house.payouts() as first:
                died = die_in("payouts", point, after=passes)
                while not died.is_set():
                    await asyncio.gather(*(house.desk.user() for _ in range(2)))
                    made += 2
                    await until(partial(is_dead_or_done, house, died, made))
                await kill(first)
            faults.clear_traps()
            async with house.payouts():
                await all_ready(house, made)
            new = (await house.transactions_of(address("sponsor")))[before:]
            assert all(each["successful"] for each in new)
            assert sum(each["operation_count"] for each in new) == (made - begun) * 4
    held = await accounts(house.chain)
    assert all(DOLLAR in held[each] for each in await addresses(house))


async def is_dead_or_done(house: Bank, died: asyncio.Event, count: int) -> bool:
    query = "SELECT count(*) FROM payouts.wallets WHERE tenant = $1 AND chain_state = 'READY'"
    return died.is_set() or bool(await house.desk.owner.fetchval(query, house.desk.tenant) == count)


async def test_an_account_that_somebody_else_made_gets_its_trustline_and_keeps_nobody_waiting(house: Bank) -> None:
    async with house.desk.ledger(), house.ticking():
        async with house.desk.payouts():
            await asyncio.gather(*(house.desk.user() for _ in range(3)))
            query = "SELECT public_key FROM payouts.wallets WHERE tenant = $1 ORDER BY created_at LIMIT 1"
            early = await until(lambda: house.desk.owner.fetchval(query, house.desk.tenant))
        await house.chain.submit(house.chain.build("ana", CreateAccount(early, "3")))

        async def is_there() -> bool:
            return house.chain.node.view().account(early) is not None

        await until(is_there)
        async with house.payouts():
            await all_ready(house, 3)
    held = await accounts(house.chain)
    assert held[early] == {"native": "3.0000000", DOLLAR: "0.0000000"}
    assert all(DOLLAR in held[each] for each in await addresses(house))


@pytest.fixture
async def network(tmp_path: Path, own_database: str) -> AsyncIterator[tuple[Sandbox, PayoutsSettings, list[str]]]:
    """A chain with nothing on it, a signer, what `prepare` is told, and the lines that it says."""
    await migrate(own_database, role_secret=ROLE_SECRET)
    async with sandbox(tmp_path / "chain") as chain, a_signer(own_database, channels=18) as (signer, _):
        values: dict[str, Any] = {
            **PAYOUTS,
            "horizon_url": chain.url,
            "signer_socket": signer.signer_socket,
            "database_url": own_database,
            "db_role_secret": ROLE_SECRET,
        }
        told = PayoutsSettings(**values)
        await chain.node.close()
        yield chain, told, []


async def run(chain: Sandbox, told: PayoutsSettings, lines: list[str], *, is_check: bool = False) -> int:
    lines.clear()
    task = asyncio.create_task(prepare(told, lines.append, is_check=is_check))
    while not task.done():
        await chain.node.close()
        await asyncio.sleep(0.01)
    return task.result()


async def test_prepare_says_what_lacks_and_makes_it_once(network: tuple[Sandbox, PayoutsSettings, list[str]]) -> None:
    chain, told, lines = network
    assert await run(chain, told, lines) == 1
    assert "STELLAR_USDC_ISSUER" in lines[0]
    await chain.accounts("issuer")
    assert await run(chain, told, lines) == 1
    assert lines == [f"sponsor  {address('sponsor')} is not there; send it 111.50 XLM or more, then come again"]
    await chain.accounts("sponsor", "treasury")
    assert await run(chain, told, lines, is_check=True) == 1
    assert len([line for line in lines if line.startswith("missing")]) == 19
    faults.set_trap("creation.submitted", _die)
    with pytest.raises(faults.KilledError):
        await run(chain, told, lines)
    faults.clear_traps()
    assert await run(chain, told, lines) == 0
    held = await accounts(chain)
    own = OwnKeys.derive(sponsor=key("sponsor").secret, treasury=key("treasury").secret, channels=18, passphrase=PASSPHRASE)
    assert {held[channel]["native"] for channel in own.accounts.channels} == {"5.0000000"}
    assert held[address("treasury")] == {"native": "10000.0000000", DOLLAR: "0.0000000"}
    assert await run(chain, told, lines) == 0
    assert lines == [f"treasury {address('treasury')} holds 0.00 USDC and 10000.00 XLM"]


async def test_an_intent_with_a_stranger_among_the_own_accounts_is_not_signed(
    network: tuple[Sandbox, PayoutsSettings, list[str]],
) -> None:
    chain, told, lines = network
    await chain.accounts("sponsor", "issuer")
    owner = await asyncpg.connect(told.database_url.get_secret_value())

    faults.set_trap("creation.stored", _die)
    with pytest.raises(faults.KilledError):
        await run(chain, told, lines)
    faults.clear_traps()
    await owner.execute("UPDATE payouts.creations SET own_accounts = own_accounts || $1::text", address("thief"))
    assert await run(chain, told, lines) == 1
    assert "UNKNOWN_INTENT" in lines[0]
    await owner.close()


def _die() -> None:
    raise faults.KilledError
