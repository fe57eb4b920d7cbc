"""Deposit wallets."""

from libs.common.contracts.queries.payouts import GetDepositAddress, GetWallet
from libs.common.contracts.replies.payouts import DepositAddress, Wallet
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.routing import Operation


async def get_wallet(call: Calling, user_id: str) -> Answer:
    """Get a user's wallet.

    The Stellar account to which the user's deposits go. It is made shortly after the user: until then the answer is 404
    `WALLET_NOT_FOUND`, retryable.
    """
    return await call.ask("payouts", GetWallet(user_id))


async def get_deposit_address(call: Calling, user_id: str) -> Answer:
    """Get a user's deposit address.

    Where and what to send so that it reaches the user's balance.
    """
    return await call.ask("payouts", GetDepositAddress(user_id))


OPERATIONS = (
    Operation("GET", "/users/{user_id}/wallet", get_wallet, Scope.READ, Wallet, codes=("WALLET_NOT_FOUND",)),
    Operation(
        "GET", "/users/{user_id}/wallet/deposit", get_deposit_address, Scope.READ, DepositAddress, codes=("WALLET_NOT_FOUND",)
    ),
)
