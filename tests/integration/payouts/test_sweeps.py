"""What users' accounts hold comes to the treasury, once, whatever dies or lies; nobody's balance and no sum changes by it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Asset, Payment

from libs.common.kernel.ids import new_id
from libs.common.kernel.money import UNIT
from libs.common.messaging import faults
from services.payouts.clients.envelopes import Network, bump
from services.payouts.clients.signer import SignerClient, SignerRefusedError
from services.payouts.clients.transactions import build
from services.payouts.domain.sweeps import payments
from services.payouts.domain.transactions import Transaction
from tests.support.bank import USDC, Bank, bank
from tests.support.chain import PASSPHRASE, address
from tests.support.market import die_in
from tests.support.oracles import books_hold
from tests.support.workers import kill, settings, until

pytestmark = pytest.mark.integration
POINTS = [point for point in faults.POINTS if point.startswith("sweep.")]
DOLLAR, TREASURY = f"USDC:{address('issuer')}", address("treasury")


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
        await opened.clear()
        await opened.desk.owner.execute(
            "DELETE FROM payouts.withdrawals"
        )  # while one of another test is under way nothing is compared
        async with opened.desk.ledger(), opened.ticking():
            yield opened


async def account_of(house: Bank, user: str) -> str:
    query = "SELECT public_key FROM payouts.wallets WHERE user_id = $1 AND chain_state = 'READY'"
    account: str = await until(lambda: house.desk.owner.fetchval(query, user))
    return account


async def pay_in(house: Bank, *amounts: tuple[str, int], lumens: int = 0) -> None:
    """Have users paid so many dollars, and lumens, and wait until they are credited."""
    before = await house.desk.owner.fetchval("SELECT count(*) FROM payouts.deposits WHERE status = 'CREDITED'")
    operations = [Payment(account, USDC, str(units)) for account, units in amounts if units]
    operations += [Payment(account, Asset.native(), str(lumens)) for account, _ in amounts if lumens]
    answer = await house.chain.submit(house.chain.build("issuer", *operations))
    assert answer.status_code == 201
    query = "SELECT count(*) = $1 FROM payouts.deposits WHERE status = 'CREDITED'"
    await until(lambda: house.desk.owner.fetchval(query, before + len(operations)))


async def held(house: Bank, *accounts: str) -> list[dict[str, Decimal]]:
    """What accounts really hold."""
    found = (await house.chain.get("/sandbox/balances"))["accounts"]
    return [{name.split(":")[0]: Decimal(amount) for name, amount in found[each].items()} for each in accounts]


async def sweep(house: Bank) -> None:
    """Have all accounts looked through now."""
    begun = await until(lambda: house.desk.owner.fetchval("SELECT begun_at FROM payouts.sweep_rounds"))
    await house.desk.owner.execute("UPDATE payouts.sweep_rounds SET begun_at = $1", begun - timedelta(days=1))


async def are_closed(house: Bank, count: int, state: str = "done") -> None:
    query = "SELECT count(*) = $1 AND bool_and(state <> 'open') FROM payouts.sweeps WHERE state IN ($2, 'open')"
    await until(lambda: house.desk.owner.fetchval(query, count, state))


async def compared(house: Bank) -> int:
    """By how much chain and books differ when they are compared the next time."""
    await house.desk.owner.execute("UPDATE payouts.tallies SET compared_at = now() - interval '1 day'")
    fresh = (
        "SELECT held - booked - unbooked FROM payouts.tallies WHERE currency = 'USD' AND compared_at > now() - interval '1 hour'"
    )
    [row] = await until(lambda: house.desk.owner.fetch(fresh))
    return int(row[0])


async def test_what_is_worth_it_comes_to_the_treasury_and_no_sum_changes(house: Bank) -> None:
    async with house.payouts():
        users = [await house.desk.user() for _ in range(3)]
        rich, poor, mixed = [await account_of(house, user) for user in users]
        await pay_in(house, (rich, 20), (poor, 3), (mixed, 2))
        await pay_in(house, (mixed, 0), lumens=15)
        before = await compared(house)
        sponsor = (await held(house, address("sponsor")))[0]["native"]
        await sweep(house)
        await are_closed(house, 2)
        nothing = {"native": Decimal(0), "USDC": Decimal(0)}
        assert await held(house, rich, poor, mixed) == [nothing, {"native": Decimal(0), "USDC": Decimal(3)}, nothing]
        [treasury] = await held(house, TREASURY)
        assert treasury == {"native": Decimal(10_015) - Decimal(100) / 10**7, "USDC": Decimal(10_022)}
        assert (await held(house, address("sponsor")))[0]["native"] == sponsor - Decimal(2 * 100 + 3 * 100) / 10**7
        assert await compared(house) == before
        assert await house.desk.balance(users[0]) == ("20.00", "0.00")
        made = {"ana": await house.desk.withdraw(users[0], 20, address=address("ana"))}
        await house.all_are(made, "COMPLETED")
        assert (await held(house, TREASURY))[0]["USDC"] == Decimal(10_002)
        swept = "SELECT count(*) FROM payouts.deposits WHERE account = $1 AND sender = ANY($2::text[])"
        assert await house.desk.owner.fetchval(swept, TREASURY, [rich, mixed]) == 0
    await books_hold(house.desk.owner)


async def test_payouts_killed_at_any_point_of_a_sweep_sweeps_once(house: Bank) -> None:
    async with house.payouts():
        account = await account_of(house, await house.desk.user())
    swept = 0
    for point in (*POINTS, "sweep.stored"):
        async with house.payouts() as first:
            await pay_in(house, (account, 50))
            died = die_in("payouts", point, after=2 if swept > 2 else 1)  # the second time it is a fee bump that is stored
            await sweep(house)
            await asyncio.wait_for(died.wait(), 60)
            await kill(first)
        faults.clear_traps()
        await house.hurry()
        swept += 1
        async with house.payouts():
            await are_closed(house, swept)
        assert (await held(house, account, TREASURY)) == [
            {"native": Decimal(0), "USDC": Decimal(0)},
            (await held(house, TREASURY))[0] | {"USDC": Decimal(10_000 + 50 * swept)},
        ]
    own = [each for each in await house.transactions_of(account) if each["successful"]]
    assert len(own) == swept
    await books_hold(house.desk.owner)


LIES: dict[str, dict[str, Any]] = {
    "504 after it was taken": {"fault": "gateway_timeout", "when": "accepted", "times": 1},
    "tx_bad_seq of what was taken": {"fault": "bad_sequence", "when": "accepted", "times": 1},
    "a reset before it arrived": {"fault": "cut", "when": "before", "times": 1},
    "a lost transaction": {"fault": "lose", "times": 1},
}


async def test_a_horizon_that_lies_sweeps_nothing_twice(house: Bank) -> None:
    async with house.payouts():
        account = await account_of(house, await house.desk.user())
        for count, (lie, rule) in enumerate(LIES.items(), 1):
            await pay_in(house, (account, 50))
            name = await house.chain.fault(**rule, match={"path": "/transactions_async"})
            await sweep(house)
            await are_closed(house, count)
            assert await house.chain.fired(name) > 0, lie
            await house.chain.http.delete("/sandbox/faults")
            assert (await held(house, TREASURY))[0]["USDC"] == Decimal(10_000 + 50 * count)


async def test_whose_withdrawal_is_under_way_is_left_alone(house: Bank) -> None:
    async with house.payouts():
        user, other = await house.desk.user(), await house.desk.user()
        account, swept = await account_of(house, user), await account_of(house, other)
        await pay_in(house, (account, 50), (swept, 50))
        await house.desk.owner.execute("INSERT INTO payouts.asset_pauses VALUES ('USD', 'operator', 'test', now())")
        made = {"ana": await house.desk.withdraw(user, 5, address=address("ana"))}
        await sweep(house)
        await are_closed(house, 1)
        assert [each["USDC"] for each in await held(house, account, swept)] == [Decimal(50), Decimal(0)]
        await house.desk.owner.execute("DELETE FROM payouts.asset_pauses")
        await house.all_are(made, "COMPLETED")
        assert (await held(house, account))[0]["USDC"] == Decimal(45)
        await sweep(house)
        await are_closed(house, 2)
        assert (await held(house, account))[0]["USDC"] == Decimal(0)


async def test_what_another_took_the_number_of_is_closed_and_swept_the_next_time(house: Bank) -> None:
    """A restored backup has forgotten a sweep, say."""
    async with house.payouts():
        account = await account_of(house, await house.desk.user())
        for units in (50, 60):
            await pay_in(house, (account, units))
            await sweep(house)
            await are_closed(house, 1 if units == 50 else 2)
        stale = "UPDATE payouts.sweeps SET state = 'open', hashes = '{}', inner_hash = 'x', bump_hash = '' WHERE sequence = $1"
        sequence = await house.desk.owner.fetchval("SELECT max(sequence) FROM payouts.sweeps")
        await house.desk.owner.execute(stale, sequence)
        await are_closed(house, 1, "failed")
        outcome = await house.desk.owner.fetchval("SELECT outcome FROM payouts.sweeps WHERE sequence = $1", sequence)
        assert outcome == "another took its number"
        assert (await held(house, TREASURY))[0]["USDC"] == Decimal(10_110)


async def test_the_signer_signs_a_sweep_to_the_treasury_only(house: Bank) -> None:
    async with house.payouts():
        account = await account_of(house, await house.desk.user())
        client, network = SignerClient(house.signer.socket), Network(PASSPHRASE, address("issuer"), TREASURY, address("sponsor"))
        query = "SELECT tenant, id FROM payouts.wallets WHERE public_key = $1"
        [wallet] = await house.desk.owner.fetch(query, account)

        async def intent(to: str = TREASURY, *, units: int = 5, fee: int = 0, source: str = account) -> str:
            """Store a sweep of five dollars by the account, whose hash is that of this transaction."""
            operations = payments(source, to, DOLLAR, usd=units * UNIT, xlm=0)
            wanted = Transaction(source=source, sequence=7, fee=fee, max_time=1_900_000_000, operations=operations)
            envelope = build(wanted, PASSPHRASE)
            await house.desk.owner.execute("DELETE FROM payouts.sweeps")
            await house.desk.owner.execute(
                "INSERT INTO payouts.sweeps (id, network, tenant, wallet_id, account, sequence, usd, xlm, inner_hash, hashes,"
                " envelope, bid, max_time, state, outcome, created_at)"
                " VALUES ($1, 'testnet', $2, $3, $4, 7, $5, 0, $6, '{}', '', 100, 1900000000, 'failed', '', now())",
                *(new_id("swp"), wallet["tenant"], wallet["id"], source, 5 * UNIT, envelope.hash_hex()),
            )
            return envelope.to_xdr()

        async def ask(xdr: str, column: str = "inner_hash") -> str:
            found = await house.desk.owner.fetchval(f"SELECT {column} FROM payouts.sweeps")
            await house.desk.owner.execute("UPDATE payouts.sweeps SET state = 'open'")
            try:
                return await client.sign("sweep", found, xdr)
            finally:
                await house.desk.owner.execute("UPDATE payouts.sweeps SET state = 'failed'")

        for xdr, code in (
            (intent(address("thief")), "OTHER_OPERATIONS"),
            (intent(units=6), "OTHER_OPERATIONS"),
            (intent(fee=100), "FEE_TOO_HIGH"),
            (intent(source=TREASURY), "UNKNOWN_INTENT"),
        ):
            with pytest.raises(SignerRefusedError, match=code):
                await ask(await xdr)
        signed = await ask(await intent())
        for payer, bid, code in ((TREASURY, 100, "OTHER_SOURCE"), (address("sponsor"), 101, "FEE_TOO_HIGH")):
            wrapped = bump(Network(PASSPHRASE, address("issuer"), TREASURY, payer), signed, bid=bid)
            await house.desk.owner.execute("UPDATE payouts.sweeps SET bump_hash = $1", wrapped.hash)
            with pytest.raises(SignerRefusedError, match=code):
                await ask(wrapped.xdr, "bump_hash")
        wrapped = bump(network, signed, bid=100)
        await house.desk.owner.execute("UPDATE payouts.sweeps SET bump_hash = $1", wrapped.hash)
        assert await ask(wrapped.xdr, "bump_hash")
        with pytest.raises(SignerRefusedError, match="UNKNOWN_INTENT"):
            await client.sign("sweep", wrapped.hash, wrapped.xdr)
