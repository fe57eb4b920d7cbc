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


class Reveal(msgspec.Struct, frozen=True, tag=True):
    """Show the key of a second factor that is being set up; the signer looks up whether it is."""

    tenant: str
    factor_id: str


class Match(msgspec.Struct, frozen=True, tag=True):
    """Of which step is this code of a second factor?"""

    tenant: str
    factor_id: str
    code: str


class Signed(msgspec.Struct, frozen=True, tag=True):
    """The same envelope with the signatures that the rule gives it."""

    envelope: str


class Minted(msgspec.Struct, frozen=True, tag=True):
    """The wallets' addresses, in the order they were asked for."""

    addresses: tuple[str, ...]


class FactorKey(msgspec.Struct, frozen=True, tag=True):
    """A second factor's key in base 32."""

    key: str


class Matched(msgspec.Struct, frozen=True, tag=True):
    """The step that a code is of; 0: of none near this instant."""

    step: int


class Accounts(msgspec.Struct, frozen=True, tag=True):
    """The platform's own accounts: who pays reserves and fees, who holds the money, whose sequence numbers are used."""

    sponsor: str
    treasury: str
    channels: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It was not done, and asking again changes nothing; `code` is for programs, `reason` for people."""

    code: str
    reason: str


Request = Sign | Mint | Describe | Reveal | Match
Reply = Signed | Minted | Accounts | FactorKey | Matched | Refused
