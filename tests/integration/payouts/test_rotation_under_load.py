"""Keys are rotated while the accounts that they are of pay people out, and nobody notices.

At full size: `OFFERHUB_ROTATED_WALLETS=10000 .venv/bin/pytest -s tests/integration/payouts/test_rotation_under_load.py`.
"""

import asyncio
import os
import time
from pathlib import Path

import pytest

from libs.common.kernel.errors import InvariantViolationError
from libs.common.settings import ServiceSettings
from services.payouts.clients.key_provider import EnvironmentKeys, Wrapped
from services.payouts.clients.sealing import context_of
from services.payouts.clients.signer import SignerClient
from services.payouts.domain.signing import WalletName
from services.payouts.entrypoints.rotation import rotate
from services.payouts.handlers import rotate_keys
from tests.integration.payouts.test_own_accounts import held, pays_in
from tests.integration.payouts.test_signer import NEW, OLD
from tests.support.bank import PEOPLE, Bank, bank
from tests.support.chain import address
from tests.support.oracles import books_hold
from tests.support.payouts import signer_settings

pytestmark = pytest.mark.integration
WALLETS = int(os.environ.get("OFFERHUB_ROTATED_WALLETS", "200"))
_MINTED_AT_ONCE = 500
_EACH = 2 if WALLETS < 1_000 else 20
_SECRETS = "SELECT tenant, wallet_id, public_key, network, version, wrapped_key FROM payouts.wallet_secrets"


async def test_own_accounts_pay_all_the_while_and_the_old_key_opens_none_of_them_afterwards(
    tmp_path: Path, apart: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_keys, "BATCH_ROWS", min(1_000, WALLETS // 10))
    async with (
        bank(tmp_path / "chain", apart) as house,
        house.desk.ledger(),
        house.ticking(),
    ):
        async with house.payouts(wallet_keys=OLD):
            users = [await house.desk.user() for _ in PEOPLE]
            accounts = [await pays_in(house, user, _EACH) for user in users]
            names = [WalletName("a:live", f"wal_{number:06}") for number in range(WALLETS)]
            for start in range(0, WALLETS, _MINTED_AT_ONCE):
                await SignerClient(house.signer.socket).mint("testnet", tuple(names[start : start + _MINTED_AT_ONCE]))
        async with house.payouts(wallet_keys=f"{NEW},{OLD}"):
            leaving = asyncio.gather(*(leave(house, user, name) for user, name in zip(users, PEOPLE, strict=True)))
            rounds, began = 0, time.monotonic()
            while not leaving.done() or rounds % 2 == 0:  # to the new key, back, and at the end to the new one
                keys = f"{NEW},{OLD}" if rounds % 2 == 0 else f"{OLD},{NEW}"
                assert await rotate(signer_settings(apart.database_url.get_secret_value(), wallet_keys=keys)) == WALLETS + len(
                    users
                )
                rounds += 1
            await leaving
            took = time.monotonic() - began
        print(f"{WALLETS} keys rotated {rounds} times in {took:.1f} s, {_EACH * len(users)} withdrawals meanwhile, none failed")
        assert house.signer.refused == []
        assert {each["successful"] for each in await house.transactions()} == {True}
        # while Horizon does not say what an account holds the treasury pays: some may, but not most
        assert sum([await held(house, account) for account in accounts]) <= len(users) * _EACH / 3
        assert await house.paid() == dict.fromkeys(PEOPLE, _EACH)
        assert await opened_by(house, OLD) == 0
        assert await opened_by(house, NEW) == WALLETS + len(users)
        await books_hold(house.desk.owner)


async def leave(house: Bank, user: str, name: str) -> None:
    """Withdraw all there is, one unit after the other, each of which must arrive."""
    for _ in range(_EACH):
        made = {name: await house.desk.withdraw(user, 1, address=address(name))}
        await house.all_are(made, "COMPLETED")


async def opened_by(house: Bank, keys: str) -> int:
    """Count the secrets that these keys open, whatever the rows say of who wrapped them."""
    provider = EnvironmentKeys.parse(keys, entropy=os.urandom)
    count = 0
    for row in await house.desk.owner.fetch(_SECRETS):
        tenant, wallet_id, public_key, network, version, wrapped = row
        context = context_of(tenant=tenant, wallet_id=wallet_id, public_key=public_key, network=network, version=version)
        try:
            await provider.unwrap([Wrapped(provider.current, wrapped, context)])
        except InvariantViolationError:
            continue
        count += 1
    return count
