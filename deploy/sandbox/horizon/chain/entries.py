"""What the ledger keeps. Containers inside an entry are replaced, never changed, so a shallow copy is a whole one."""

from typing import Final

import msgspec

AUTH_REQUIRED: Final = 1
AUTH_REVOCABLE: Final = 2
AUTH_IMMUTABLE: Final = 4
AUTH_CLAWBACK: Final = 8

LINE_AUTHORIZED: Final = 1
LINE_MAINTAIN: Final = 2
LINE_CLAWBACK: Final = 4


class Signer(msgspec.Struct, frozen=True):
    """A key that may sign for an account; `key` is G…, T… (one transaction), X… (a hash's preimage) or P… (a payload)."""

    key: str
    weight: int
    sponsor: str | None = None


class Trustline(msgspec.Struct, frozen=True):
    """How much of one asset an account holds and would hold."""

    balance: int
    limit: int
    flags: int
    last_modified: int
    sponsor: str | None = None

    @property
    def is_authorized(self) -> bool:
        """Whether the issuer lets the holder pay and be paid."""
        return bool(self.flags & LINE_AUTHORIZED)


class Data(msgspec.Struct, frozen=True):
    """A named value of an account's own."""

    value: bytes
    sponsor: str | None = None


class Account(msgspec.Struct, tag="account"):
    """An account with everything that belongs to it alone: signers, trustlines by asset, data by name."""

    id: str
    balance: int
    sequence: int
    last_modified: int
    sequence_ledger: int = 0
    sequence_time: int = 0
    master_weight: int = 1
    low_threshold: int = 0
    medium_threshold: int = 0
    high_threshold: int = 0
    flags: int = 0
    home_domain: str = ""
    inflation_destination: str | None = None
    subentries: int = 0
    sponsoring: int = 0
    sponsored: int = 0
    sponsor: str | None = None
    signers: tuple[Signer, ...] = ()
    lines: dict[str, Trustline] = {}
    data: dict[str, Data] = {}


class Claimant(msgspec.Struct, frozen=True):
    """Who may claim a balance, and when: `predicate` is a ClaimPredicate in XDR with absolute times only."""

    destination: str
    predicate: bytes


class Claimable(msgspec.Struct, tag="claimable"):
    """An amount set aside for its claimants; `id` is a ClaimableBalanceID in XDR, as hex."""

    id: str
    asset: str
    amount: int
    sponsor: str
    last_modified: int
    claimants: tuple[Claimant, ...] = ()
    is_clawback_enabled: bool = False


Entry = Account | Claimable
