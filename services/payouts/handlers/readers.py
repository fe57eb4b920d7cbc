"""What the payouts service answers when it is asked: one reader per kind of question."""

from collections.abc import Sequence

import asyncpg

from libs.common.contracts.queries.payouts import GetDepositAddress, GetWallet
from libs.common.contracts.replies.payouts import DepositAddress, Wallet
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.messaging.queries import Answers, Asked
from services.payouts.domain.networks import ASSET_CODE, DEPOSIT_METHOD, deposit_instructions
from services.payouts.store import reads
from services.payouts.store.reads import ShownWallet


async def get_wallet(pool: asyncpg.Pool, asked: Sequence[Asked[GetWallet]]) -> Answers:
    """Answer with wallets."""
    wallets = await reads.wallets(pool, [(item.tenant, item.query.user_id) for item in asked])
    found = [(item.query.user_id, wallets.get((item.tenant, item.query.user_id))) for item in asked]
    return [_no_wallet(user_id) if wallet is None else _wallet(wallet) for user_id, wallet in found]


async def get_deposit_address(pool: asyncpg.Pool, asked: Sequence[Asked[GetDepositAddress]]) -> Answers:
    """Answer with deposit addresses."""
    wallets = await reads.wallets(pool, [(item.tenant, item.query.user_id) for item in asked])
    found = [(item.query.user_id, wallets.get((item.tenant, item.query.user_id))) for item in asked]
    return [_no_wallet(user_id) if wallet is None else _address(wallet) for user_id, wallet in found]


def _no_wallet(user_id: str) -> Refusal:
    """Say that there is none; right after the user was made it may still be under way."""
    return Refusal("WALLET_NOT_FOUND", "The user has no wallet yet", {"user_id": user_id})


def _wallet(wallet: ShownWallet) -> Wallet:
    return Wallet(
        id=wallet.id,
        user_id=wallet.user_id,
        public_key=wallet.public_key,
        provider=wallet.provider,
        network=wallet.network,
        created_at=wire_time(wallet.created_at),
    )


def _address(wallet: ShownWallet) -> DepositAddress:
    return DepositAddress(
        user_id=wallet.user_id,
        provider=wallet.provider,
        method=DEPOSIT_METHOD,
        address=wallet.public_key,
        network=wallet.network,
        asset_code=ASSET_CODE,
        instructions=deposit_instructions(wallet.network),
    )
