"""Where a user's deposits go: an account of the user's own, or the treasury with a number that stands for the user."""

import hashlib
from typing import Final, Literal, NamedTuple
from urllib.parse import quote, urlencode

from services.payouts.domain.networks import ASSET_CODE
from services.payouts.domain.strkey import muxed_address, read_account

WalletMode = Literal["accounts", "pooled"]
METHOD: Final = "stellar_address"
_MEMO_BITS: Final = 63
_PUBLIC: Final = "Public Global Stellar Network ; September 2015"


class Address(NamedTuple):
    """Where to pay; `memo` is None for an account of the user's own."""

    account: str
    memo: int | None

    @property
    def muxed(self) -> str | None:
        """The account and the number in one, `M…` (SEP-23)."""
        key = read_account(self.account)
        return None if self.memo is None or key is None else muxed_address(key, self.memo)


def memo_of(tenant: str, wallet_id: str) -> int:
    """Derive a wallet's number below 2⁶³, as the column `wallets.memo` does: wide apart, so that a slip hits nobody's."""
    digest = hashlib.md5(f"{tenant}/{wallet_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8]) & (1 << _MEMO_BITS) - 1


def payment_uri(address: Address, *, usdc_issuer: str, passphrase: str) -> str:
    """Write what wallets read from a link or a QR code (SEP-7); the amount is left to the payer."""
    fields = {"destination": address.account, "asset_code": ASSET_CODE, "asset_issuer": usdc_issuer}
    if address.memo is not None:
        fields |= {"memo": str(address.memo), "memo_type": "MEMO_ID"}
    if passphrase != _PUBLIC:
        fields["network_passphrase"] = passphrase
    return f"web+stellar:pay?{urlencode(fields, quote_via=quote)}"


def instructions(address: Address, network: str) -> str:
    """Tell a person what to send."""
    text = f"Send {ASSET_CODE} to this address on the Stellar {network}. Other assets are not credited."
    if address.memo is None:
        return text
    return f"{text} Write the memo, of the type id: without it nobody knows whose money it is."
