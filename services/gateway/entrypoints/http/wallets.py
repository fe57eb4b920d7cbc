"""Deposit wallets."""

from typing import Annotated

from fastapi import Query

from libs.common.contracts.queries.payouts import GetDepositAddress, GetWallet, ListWalletTransactions
from libs.common.contracts.replies.payouts import DepositAddress, Wallet, WalletTransaction
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import Instant, PageQuery
from services.gateway.entrypoints.http.routing import Operation


async def get_wallet(call: Calling, user_id: str) -> Answer:
    """Get a user's wallet.

    The Stellar account to which the user's deposits go. Where users share one, `memo` tells them apart. It is made shortly after
    the user: until then the answer is 404 `WALLET_NOT_FOUND`, retryable.
    """
    return await call.ask("payouts", GetWallet(user_id))


async def get_deposit_address(call: Calling, user_id: str) -> Answer:
    """Get a user's deposit address.

    Where and what to send so that it reaches the user's balance: in words, as a link for wallets, and as a QR code.
    """
    return await call.ask("payouts", GetDepositAddress(user_id))


class TransactionQuery(PageQuery):
    """Filters of the list of a wallet's transactions."""

    created_after: Instant | None = None
    """Only those made at this instant or later; a date means its first moment, UTC."""
    created_before: Instant | None = None
    """Only those made before this instant."""


async def list_wallet_transactions(call: Calling, user_id: str, query: Annotated[TransactionQuery, Query()]) -> Answer:
    """List a wallet's transactions.

    What came to the user from the chain and what went there, newest first: deposits, and withdrawals wherever they stand.
    """
    return await call.ask_page("payouts", ListWalletTransactions(user_id, **query.model_dump()))


OPERATIONS = (
    Operation("GET", "/users/{user_id}/wallet", get_wallet, Scope.READ, Wallet, codes=("WALLET_NOT_FOUND",)),
    Operation(
        "GET", "/users/{user_id}/wallet/deposit", get_deposit_address, Scope.READ, DepositAddress, codes=("WALLET_NOT_FOUND",)
    ),
    Operation(
        "GET", "/users/{user_id}/wallet/transactions", list_wallet_transactions, Scope.READ, WalletTransaction, is_list=True,
        codes=("WALLET_NOT_FOUND",),
    ),
)  # fmt: skip
