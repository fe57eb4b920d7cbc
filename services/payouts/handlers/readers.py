"""What the payouts service answers when it is asked about wallets."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import msgspec

from libs.common.contracts.queries.payouts import GetDepositAddress, GetWallet, ListWalletTransactions
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.payouts import DepositAddress, Wallet
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.messaging.lists import page_of, read_bounds, unknown_cursor
from libs.common.messaging.queries import Answers, Asked
from services.payouts.clients import qr
from services.payouts.domain.deposit_address import METHOD, Address, WalletMode, instructions, payment_uri
from services.payouts.domain.networks import ASSET_CODE
from services.payouts.handlers.ask_for_accounts import OwnAccounts
from services.payouts.handlers.wallet_views import transaction_view
from services.payouts.store import account_scans, reads, wallet_transactions
from services.payouts.store.reads import ShownWallet


@dataclass(frozen=True, slots=True)
class WalletReaders:
    """Answers about wallets; in the pooled mode an address is the treasury's with a number."""

    mode: WalletMode
    own: OwnAccounts
    usdc_issuer: str
    passphrase: str
    tells_scan: bool = False
    """Accounts are looked at one by one: one whose address was shown comes next."""

    async def get_wallet(self, pool: asyncpg.Pool, asked: Sequence[Asked[GetWallet]]) -> Answers:
        """Answer with wallets."""
        found = await self._found(pool, asked)
        return [
            _no_wallet(user_id) if wallet is None else _wallet(wallet, await self._address(wallet)) for user_id, wallet in found
        ]

    async def get_deposit_address(self, pool: asyncpg.Pool, asked: Sequence[Asked[GetDepositAddress]]) -> Answers:
        """Answer with deposit addresses."""
        found = await self._found(pool, asked)
        shown = [wallet for _, wallet in found if wallet is not None]
        if self.tells_scan and shown:
            addresses = {(await self._address(wallet)).account for wallet in shown}
            await account_scans.shown(pool, shown[0].network, sorted(addresses))
        return [_no_wallet(user_id) if wallet is None else await self._deposit(wallet) for user_id, wallet in found]

    async def _found(
        self, pool: asyncpg.Pool, asked: Sequence[Asked[GetWallet]] | Sequence[Asked[GetDepositAddress]]
    ) -> list[tuple[str, ShownWallet | None]]:
        wallets = await reads.wallets(pool, [(item.tenant, item.query.user_id) for item in asked])
        return [(item.query.user_id, wallets.get((item.tenant, item.query.user_id))) for item in asked]

    async def _address(self, wallet: ShownWallet) -> Address:
        if self.mode == "accounts":
            return Address(wallet.public_key, None)
        await self.own.know()
        return Address(self.own.treasury, wallet.memo)

    async def _deposit(self, wallet: ShownWallet) -> DepositAddress:
        address = await self._address(wallet)
        uri = payment_uri(address, usdc_issuer=self.usdc_issuer, passphrase=self.passphrase)
        return DepositAddress(
            user_id=wallet.user_id,
            provider=wallet.provider,
            method=METHOD,
            address=address.account,
            memo_type=None if address.memo is None else "id",
            memo=None if address.memo is None else str(address.memo),
            muxed_address=address.muxed,
            network=wallet.network,
            asset_code=ASSET_CODE,
            asset_issuer=self.usdc_issuer,
            uri=uri,
            qr_svg=await qr.draw(uri),
            instructions=instructions(address, wallet.network),
        )


async def list_transactions(pool: asyncpg.Pool, asked: Sequence[Asked[ListWalletTransactions]]) -> Answers:
    """Answer with pages of what came and went."""
    return [await _page(pool, item) for item in asked]


async def _page(pool: asyncpg.Pool, item: Asked[ListWalletTransactions]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query)
    if isinstance(bounds, Refusal):
        return bounds
    if not await reads.wallets(pool, [(item.tenant, item.query.user_id)]):
        return _no_wallet(item.query.user_id)
    found = await wallet_transactions.page(pool, item.tenant, item.query.user_id, bounds)
    if found is None:
        return unknown_cursor()
    return page_of(((each.id, transaction_view(each)) for each in found), limit=bounds.limit)


def _no_wallet(user_id: str) -> Refusal:
    """Say that there is none; right after the user was made it may still be under way."""
    return Refusal("WALLET_NOT_FOUND", "The user has no wallet yet", {"user_id": user_id})


def _wallet(wallet: ShownWallet, address: Address) -> Wallet:
    return Wallet(
        id=wallet.id,
        user_id=wallet.user_id,
        public_key=address.account,
        memo=None if address.memo is None else str(address.memo),
        muxed_address=address.muxed,
        provider=wallet.provider,
        network=wallet.network,
        created_at=wire_time(wallet.created_at),
    )
