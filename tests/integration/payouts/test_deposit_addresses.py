"""Where users are told to pay, in both modes, and the list of what came and went."""

import secrets
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.events.ledger import UserCreated
from libs.common.contracts.queries.payouts import GetDepositAddress, GetWallet, ListWalletTransactions
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from services.payouts.app import build
from services.payouts.domain.deposit_address import memo_of
from services.payouts.domain.withdrawals import Status
from services.payouts.handlers.create_wallet import wallet_id_of
from services.payouts.settings import PayoutsSettings
from services.payouts.store.withdrawals import WITHDRAWALS
from tests.support import lists
from tests.support.chain import address
from tests.support.events import event, publish
from tests.support.lists import at
from tests.support.withdrawals import a_withdrawal
from tests.support.workers import running, until

pytestmark = pytest.mark.integration


async def _user(config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant) -> str:
    user_id = new_id("usr")
    data = UserCreated(user_id, f"ext-{user_id}", None, "BOTH", "ACTIVE", {})
    await publish(config, [[event(tenant, f"user:{user_id}", 1, kind="user.created", data=data)]])

    async def has_a_wallet() -> bool:
        query = "SELECT EXISTS (SELECT FROM payouts.wallets WHERE tenant = $1 AND user_id = $2)"
        found: bool = await owner.fetchval(query, tenant, user_id)
        return found

    await until(has_a_wallet)
    return user_id


async def _asked(worker: Worker, tenant: Tenant, query: msgspec.Struct) -> Any:
    reply = await worker.rpc.query("payouts", query, tenant=tenant)
    return reply.refusal.code if reply.refusal is not None else msgspec.json.decode(reply.result)


async def test_each_user_has_an_account(config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant) -> None:
    async with running(build(config), config) as worker:
        user_id = await _user(config, owner, tenant)
        wallet, deposit = [await _asked(worker, tenant, query) for query in (GetWallet(user_id), GetDepositAddress(user_id))]
        assert await _asked(worker, tenant, ListWalletTransactions("usr_none")) == "WALLET_NOT_FOUND"
    assert (wallet["memo"], deposit["memo"], deposit["muxed_address"]) == (None, None, None)
    assert f"destination={wallet['public_key']}&asset_code=USDC" in deposit["uri"]
    assert deposit["qr_svg"].startswith("<svg ")


async def test_pooled_users_pay_to_the_treasury_with_a_number_of_their_own(
    config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    pooled = config.model_copy(update={"wallets": "pooled"})
    async with running(build(pooled), pooled) as worker:
        user_id = await _user(pooled, owner, tenant)
        wallet, deposit = [await _asked(worker, tenant, query) for query in (GetWallet(user_id), GetDepositAddress(user_id))]
    memo = await owner.fetchval("SELECT memo FROM payouts.wallets WHERE tenant = $1 AND user_id = $2", tenant, user_id)
    assert memo == memo_of(tenant, wallet_id_of(user_id))
    assert (wallet["public_key"], deposit["address"]) == (address("treasury"),) * 2
    assert (wallet["memo"], deposit["memo"], deposit["memo_type"]) == (str(memo), str(memo), "id")
    assert wallet["muxed_address"] == deposit["muxed_address"]
    assert wallet["muxed_address"].startswith("M")


async def test_the_list_shows_what_came_and_went_newest_first_page_by_page(
    config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    statuses = [*Status, *Status]
    async with running(build(config), config) as worker:
        user_id = await _user(config, owner, tenant)
        assert (await _asked(worker, tenant, ListWalletTransactions(user_id)))["data"] == []
        rows = [a_withdrawal(tenant, user_id, status=status, created_at=at(place)) for place, status in enumerate(statuses)]
        await lists.put(owner, "payouts", WITHDRAWALS, [*rows, a_withdrawal(tenant, "usr_other", created_at=at(3))])
        await owner.execute(
            "INSERT INTO payouts.deposits (tenant, id, user_id, network, account, operation_id, ledger, transaction_hash, kind,"
            " asset, currency, amount, sender, memo, status, version, closed_at, created_at)"
            " VALUES ($1, $2, $3, 'testnet', 'G', $4, 7, 'ab', 'payment',"
            " 'USDC', 'USD', 5, 'GSENDER', '', 'CREDITED', 1, $5, $5)",
            *(tenant, "dep_1", user_id, secrets.randbits(62), at(100)),
        )
        shown: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = await _asked(worker, tenant, ListWalletTransactions(user_id, limit=4, cursor=cursor))
            shown += page["data"]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        refused = await _asked(worker, tenant, ListWalletTransactions(user_id, cursor="wth_none"))
    assert [each["id"] for each in shown] == ["dep_1", *(row.id for row in reversed(rows))]
    assert [each["type"] for each in shown] == ["deposit"] + ["withdrawal"] * len(rows)
    assert (shown[0]["status"], shown[0]["address"], shown[0]["ledger"]) == ("COMPLETED", "GSENDER", 7)
    assert refused == "VALIDATION_ERROR"
