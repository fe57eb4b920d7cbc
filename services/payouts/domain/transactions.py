"""A Stellar transaction as far as we make any, and whether one is what its intent asks for. Amounts are stroops."""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from services.payouts.domain.signing import Accounts, Refused

NATIVE: Final = "native"
STROOPS: Final = 10_000_000
"""In a lumen, and in a dollar."""
CHANNEL_LUMENS: Final = 5
"""What a channel begins with: fees of some thousand transactions."""


class Create(msgspec.Struct, frozen=True, tag=True):
    """Make an account."""

    source: str
    destination: str
    amount: int


class Trust(msgspec.Struct, frozen=True, tag=True):
    """Hold an asset, `CODE:ISSUER`, without a limit."""

    source: str
    asset: str


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Pay somebody's reserves from here on."""

    source: str
    sponsored: str


class End(msgspec.Struct, frozen=True, tag=True):
    """Let nobody pay one's reserves any more."""

    source: str


class Pay(msgspec.Struct, frozen=True, tag=True):
    """Pay; `asset` is `native` or `CODE:ISSUER`."""

    source: str
    destination: str
    asset: str
    amount: int


class Bump(msgspec.Struct, frozen=True, tag=True):
    """Move one's sequence number."""

    source: str
    to: int


class Other(msgspec.Struct, frozen=True, tag=True):
    """Anything else: never signed."""

    source: str
    name: str


Operation = Create | Trust | Begin | End | Pay | Bump | Other


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction does. Bounds are 0 where there is none; `memo` is its kind and value, as `text:hello`."""

    source: str
    sequence: int
    fee: int
    fee_source: str = ""
    """Who pays for the fee bump around it; empty when there is none. `fee` is the bump's then."""
    memo: str = ""
    min_time: int = 0
    max_time: int = 0
    min_ledger: int = 0
    max_ledger: int = 0
    other_conditions: bool = False
    """It has preconditions that we never set."""
    operations: tuple[Operation, ...]

    def signers(self) -> list[str]:
        """Name whose signatures it takes: its source and its operations', each once; a fee bump's that of who pays it."""
        return (
            [self.fee_source]
            if self.fee_source
            else list(dict.fromkeys((self.source, *(operation.source for operation in self.operations))))
        )


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What an intent asks for. The transaction must be exactly this, except that its fee may be lower than `fee_max`."""

    transaction_hash: str
    """Stored with the intent before the signature was asked for."""
    source: str
    sequence: int
    fee_max: int
    fee_source: str = ""
    memo: str = ""
    max_time: int
    max_ledger: int = 0
    operations: tuple[Operation, ...]


def differences(expected: Expected, found: Transaction, transaction_hash: str) -> Refused | None:
    """Say in what a transaction is not what was asked for; None when it is."""
    pairs = (
        ("OTHER_TRANSACTION", "hash", expected.transaction_hash, transaction_hash),
        ("OTHER_SOURCE", "source", expected.source, found.source),
        ("OTHER_SOURCE", "source of the fee", expected.fee_source, found.fee_source),
        ("OTHER_SEQUENCE", "sequence", expected.sequence, found.sequence),
        ("OTHER_MEMO", "memo", expected.memo, found.memo),
        ("OTHER_BOUNDS", "min_time", 0, found.min_time),
        ("OTHER_BOUNDS", "max_time", expected.max_time, found.max_time),
        ("OTHER_BOUNDS", "min_ledger", 0, found.min_ledger),
        ("OTHER_BOUNDS", "max_ledger", expected.max_ledger, found.max_ledger),
        ("OTHER_BOUNDS", "other_conditions", False, found.other_conditions),
        ("OTHER_OPERATIONS", "number of operations", len(expected.operations), len(found.operations)),
    )
    for code, name, wanted, got in pairs:
        if wanted != got:
            return Refused(code, f"{name} is {got}, the intent says {wanted}")
    for place, (wish, operation) in enumerate(zip(expected.operations, found.operations, strict=True)):
        if wish != operation:
            return Refused("OTHER_OPERATIONS", f"operation {place} is {operation}, the intent says {wish}")
    if found.max_time == 0:
        return Refused("UNBOUNDED", "a transaction that is valid for ever is never signed")
    if found.fee > expected.fee_max:
        return Refused("FEE_TOO_HIGH", f"the fee is {found.fee} stroops, at most {expected.fee_max} may be paid")
    return None


def creation(wallets: Sequence[str], *, sponsor: str, asset: str, existing: Collection[str] = ()) -> tuple[Operation, ...]:
    """Say how accounts are made that hold an asset and no lumens, all reserves paid by the sponsor.

    Four operations each, and three for one that is `existing`: it only lacks the trustline.
    """
    steps: list[Operation] = []
    for wallet in wallets:
        made = () if wallet in existing else (Create(sponsor, wallet, 0),)
        steps += [Begin(sponsor, wallet), *made, Trust(wallet, asset), End(wallet)]
    return tuple(steps)


def own_accounts(
    wanted: Sequence[str], accounts: Accounts, asset: str, *, existing: Collection[str] = ()
) -> tuple[Operation, ...]:
    """Say how accounts of the platform's own are made: the treasury like a wallet, a channel with lumens for its fees."""
    steps: list[Operation] = []
    for account in wanted:
        if account == accounts.treasury:
            steps += creation((account,), sponsor=accounts.sponsor, asset=asset, existing=existing)
        else:
            lumens = CHANNEL_LUMENS * STROOPS
            steps += [Begin(accounts.sponsor, account), Create(accounts.sponsor, account, lumens), End(account)]
    return tuple(steps)
