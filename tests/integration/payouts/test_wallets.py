"""Every user gets one deposit wallet, and no dump of the database can spend from it."""

import os

import asyncpg
import msgspec
import pytest
from stellar_sdk import Keypair

from libs.common.contracts.envelope import Envelope
from libs.common.contracts.events.ledger import UserCreated, UserStatusChanged, UserUpdated
from libs.common.contracts.queries.payouts import GetDepositAddress, GetWallet
from libs.common.contracts.replies.payouts import DepositAddress, Wallet
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from libs.common.observability.metrics import RERUNS
from services.payouts.app import build
from services.payouts.settings import PayoutsSettings
from services.webhooks.app import build as build_webhooks
from tests.support.events import event, publish
from tests.support.webhooks import logged, webhooks_settings
from tests.support.workers import die_at, kill, running, until

pytestmark = pytest.mark.integration


def _created(tenant: Tenant, user_id: str) -> Envelope:
    data = UserCreated(user_id, f"ext-{user_id}", None, "BOTH", "ACTIVE", {})
    return event(tenant, f"user:{user_id}", 1, kind="user.created", data=data)


async def _has_wallets(owner: asyncpg.Connection, tenant: Tenant, count: int) -> None:
    async def they_are_there() -> bool:
        found: int = await owner.fetchval("SELECT count(*) FROM payouts.wallets WHERE tenant = $1", tenant)
        return found == count

    await until(they_are_there)


async def _wallet(worker: Worker, tenant: Tenant, user_id: str) -> Wallet:
    reply = await worker.rpc.query("payouts", GetWallet(user_id), tenant=tenant)
    assert reply.refusal is None
    return msgspec.json.decode(reply.result, type=Wallet)


async def test_a_wallet_is_made_for_a_new_user_and_can_be_asked_for(
    config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    user_id = new_id("usr")
    async with running(build(config), config) as worker:
        await publish(config, [[_created(tenant, user_id)]])
        await _has_wallets(owner, tenant, 1)
        wallet = await _wallet(worker, tenant, user_id)
        reply = await worker.rpc.query("payouts", GetDepositAddress(user_id), tenant=tenant)
    deposit = msgspec.json.decode(reply.result, type=DepositAddress)
    Keypair.from_public_key(wallet.public_key)
    assert (wallet.user_id, wallet.provider, wallet.network) == (user_id, "stellar", "testnet")
    assert (deposit.address, deposit.asset_code, deposit.network) == (wallet.public_key, "USDC", "testnet")


async def test_two_processes_and_repeated_events_make_one_wallet_and_one_event_each(
    config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant, postgres_url: str, amqp_url: str, bus_prefix: str
) -> None:
    log = webhooks_settings(postgres_url, amqp_url, bus_prefix)
    users = [new_id("usr") for _ in range(60)]
    frames = [[_created(tenant, user) for user in users[start : start + 7]] for start in range(0, 60, 5)]
    async with running(build(config), config), running(build(config), config), running(build_webhooks(log), log):
        await publish(config, frames * 2)
        await _has_wallets(owner, tenant, 60)

        async def all_are_announced() -> bool:
            return len(await logged(owner, tenant, "wallet.created")) >= 60

        await until(all_are_announced)
    rows = await owner.fetch("SELECT user_id, public_key FROM payouts.wallets WHERE tenant = $1", tenant)
    assert {row["user_id"] for row in rows} == set(users)
    assert len({row["public_key"] for row in rows}) == len(await logged(owner, tenant, "wallet.created")) == 60


async def test_a_party_is_what_the_newest_event_says_whatever_comes_first_and_however_often(
    config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    user_id = new_id("usr")
    aggregate = f"user:{user_id}"
    suspended = event(
        tenant, aggregate, 2, kind="user.suspended", data=UserStatusChanged(user_id, "ext", "SUSPENDED", None, "now")
    )
    updated = event(
        tenant, aggregate, 3, kind="user.updated", data=UserUpdated(user_id, "ext", "a@x.io", "BOTH", "SUSPENDED", {})
    )
    again = msgspec.structs.replace(suspended, id=f"{suspended.id}_again")  # one that no inbox knows
    async with running(build(config), config):
        await publish(config, [[updated], [suspended], [_created(tenant, user_id)], [again]])
        await _has_wallets(owner, tenant, 1)

        async def all_are_handled() -> bool:
            count = await owner.fetchval("SELECT count(*) FROM payouts.inbox WHERE tenant = $1 AND state = 'answered'", tenant)
            return bool(count == 4)

        await until(all_are_handled)
    [party] = await owner.fetch("SELECT status, sequence FROM payouts.parties WHERE tenant = $1", tenant)
    assert tuple(party) == ("SUSPENDED", 3)


@pytest.mark.parametrize("point", ["write.after_claim", "write.before_commit", "write.after_commit", "write.after_publish"])
async def test_a_kill_leaves_one_wallet(config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant, point: str) -> None:
    user_id = new_id("usr")
    async with running(build(config), config) as worker:
        died = die_at(point)
        await publish(config, [[_created(tenant, user_id)]])
        await died.wait()
        await kill(worker)
    async with running(build(config), config):
        await _has_wallets(owner, tenant, 1)


async def test_a_wallet_that_is_not_there_yet_is_not_found(config: PayoutsSettings, tenant: Tenant) -> None:
    async with running(build(config), config) as worker:
        replies = [
            await worker.rpc.query("payouts", question, tenant=tenant)
            for question in (GetWallet("usr_none"), GetDepositAddress("usr_none"))
        ]
    assert [reply.refusal.code if reply.refusal else None for reply in replies] == ["WALLET_NOT_FOUND"] * 2


async def test_while_the_signer_is_away_users_wait_and_then_get_their_wallets(
    config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    away = config.model_copy(update={"signer_socket": f"{config.signer_socket}.later"})
    async with running(build(away), away):
        await publish(config, [[_created(tenant, new_id("usr"))]])

        async def it_waits() -> bool:
            return bool(RERUNS.labels("SignerUnavailableError")._value.get())

        await until(it_waits)
        assert await owner.fetchval("SELECT count(*) FROM payouts.inbox WHERE tenant = $1", tenant) == 0
        os.symlink(config.signer_socket, away.signer_socket)  # noqa: PTH211 - a link is made at once
        await _has_wallets(owner, tenant, 1)
