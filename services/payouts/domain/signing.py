"""What is said to the signer and what it says: frozen messages, spelt as JSON over its socket."""

from typing import Final, Literal

import msgspec

SIGN_KINDS: Final = ("create-wallets", "set-up", "withdrawal", "sweep")
"""What may be signed: each kind has one rule, and rows that the rule reads."""

SignKind = Literal["create-wallets", "set-up", "withdrawal", "sweep"]

FRAME_BYTES_MAX: Final = 1 << 20
LENGTH_BYTES: Final = 4


class Sign(msgspec.Struct, frozen=True, tag=True):
    """Sign this envelope, which carries out the intent of this id; the signer looks the intent up for itself."""

    kind: SignKind
    intent_id: str
    envelope: str


class WalletName(msgspec.Struct, frozen=True, order=True):
    """Whose wallet a key is for."""

    tenant: str
    wallet_id: str


class Mint(msgspec.Struct, frozen=True, tag=True):
    """Make and keep a key for each of these wallets; one that has a key keeps it."""

    network: str
    wallets: tuple[WalletName, ...]


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Name the platform's own accounts."""


class Signed(msgspec.Struct, frozen=True, tag=True):
    """The same envelope with the signatures that the rule gives it."""

    envelope: str


class Minted(msgspec.Struct, frozen=True, tag=True):
    """The wallets' addresses, in the order they were asked for."""

    addresses: tuple[str, ...]


class Accounts(msgspec.Struct, frozen=True, tag=True):
    """The platform's own accounts: who pays reserves and fees, who holds the money, whose sequence numbers are used."""

    sponsor: str
    treasury: str
    channels: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It was not done, and asking again changes nothing; `code` is for programs, `reason` for people."""

    code: str
    reason: str


Request = Sign | Mint | Describe
Reply = Signed | Minted | Accounts | Refused
