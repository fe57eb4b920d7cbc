"""Keys are rotated while they are used, and nobody notices.

At full size: `OFFERHUB_ROTATED_WALLETS=10000 .venv/bin/pytest -s tests/integration/payouts/test_rotation.py`.
"""

import asyncio
import os
import time

import asyncpg
import pytest
from pydantic import SecretStr

from libs.common.kernel.ids import Tenant
from libs.common.persistence.migrate import migrate
from services.payouts.clients.signer import SignerClient, SignerRefusedError
from services.payouts.domain.signing import WalletName
from services.payouts.entrypoints.rotation import rotate
from services.payouts.handlers import rotate_keys
from tests.integration.payouts.test_signer import NEW, OLD, add_wallet, intend, wanted_for
from tests.support.payouts import a_signer
from tests.support.workers import ROLE_SECRET

pytestmark = pytest.mark.integration
WALLETS = int(os.environ.get("OFFERHUB_ROTATED_WALLETS", "300"))
_MINTED_AT_ONCE = 500
_USED = 5


async def test_keys_that_are_rotated_sign_all_the_while_and_the_old_one_opens_nothing_afterwards(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(own_database, role_secret=ROLE_SECRET)
    monkeypatch.setattr(rotate_keys, "BATCH_ROWS", min(1_000, WALLETS // 10))
    owner = await asyncpg.connect(own_database)
    names = tuple(WalletName("a:live", f"wal_{number:06}") for number in range(WALLETS))
    addresses: list[str] = []
    async with a_signer(own_database, wallet_keys=OLD) as (settings, _):
        for start in range(0, WALLETS, _MINTED_AT_ONCE):
            addresses += await SignerClient(settings.signer_socket).mint("testnet", names[start : start + _MINTED_AT_ONCE])
    spread = dict(list(zip(names, addresses, strict=True))[:: WALLETS // _USED][:_USED])
    for name, public_key in spread.items():
        await add_wallet(owner, Tenant("a:live"), name, public_key)
    intent_id, envelope = await intend(owner, list(spread), wanted_for(spread, fee=4400))
    async with a_signer(own_database, wallet_keys=f"{NEW},{OLD}") as (during, _):
        client, began = SignerClient(during.signer_socket), time.monotonic()
        rotation = asyncio.create_task(rotate(settings.model_copy(update={"wallet_keys": SecretStr(f"{NEW},{OLD}")})))
        signed = 0
        while not rotation.done():
            assert await client.sign("create-wallets", intent_id, envelope)
            signed += 1
        assert await rotation == WALLETS
        took = time.monotonic() - began
    print(f"{WALLETS} keys rotated in {took:.1f} s, {signed} signatures meanwhile, none refused")
    async with a_signer(own_database, wallet_keys=NEW) as (after, _):
        assert await SignerClient(after.signer_socket).sign("create-wallets", intent_id, envelope)
    async with a_signer(own_database, wallet_keys=OLD) as (before, _):
        with pytest.raises(SignerRefusedError, match="BROKEN"):
            await SignerClient(before.signer_socket).sign("create-wallets", intent_id, envelope)
    await owner.close()
