"""What every operation is, and what it sees while it is applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

from deploy.sandbox.horizon.chain.draft import Draft
from deploy.sandbox.horizon.chain.entries import Account
from deploy.sandbox.horizon.chain.rules import Rules
from deploy.sandbox.horizon.chain.values import Party, asset_type, issuer_of


class Level(IntEnum):
    """Which of its three thresholds an account's signatures must reach."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    def needed(self, account: Account) -> int:
        """Return the weight an account asks for at this level."""
        return (account.low_threshold, account.medium_threshold, account.high_threshold)[self]


class Effect(NamedTuple):
    """What an operation did to one account, by Horizon's name for it."""

    party: Party
    name: str
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Success:
    """A success that has more to tell than its code: the other arguments of its XDR result."""

    code: IntEnum
    payload: Mapping[str, object]


Answer = IntEnum | Success
"""A result code of the operation's own kind, or one that any operation may have."""


@dataclass(slots=True)
class Scene:
    """One operation at work. `sponsor` becomes who pays for the entry it makes, `made` the claimable balance it makes."""

    draft: Draft
    rules: Rules
    source: Party
    transaction_source: str
    sequence: int
    index: int
    effects: list[Effect] = field(default_factory=list)
    sponsor: str | None = None
    made: str | None = None

    def account(self) -> Account:
        """Return the source account, to change it."""
        return self.draft.existing(self.source.account)

    def note(self, party: Party | str, effect: str, /, **details: object) -> None:
        """Note an effect."""
        self.effects.append(Effect(party if isinstance(party, Party) else Party(party), effect, details))


class Operation(Protocol):
    """One operation, read."""

    @property
    def level(self) -> Level:
        """The threshold its source's signatures must reach."""
        ...

    def fault(self, source: str) -> IntEnum | None:
        """Say what is wrong with it whatever the ledger holds."""
        ...

    def apply(self, scene: Scene) -> Answer:
        """Do it, or say why not; what a refused operation changed is thrown away."""
        ...

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:
        """Return its fields as Horizon shows them."""
        ...

    def touched(self) -> Iterable[str]:
        """Return the accounts and claimable balances, besides its source, in whose history it belongs."""
        ...


def asset_fields(asset: str | None, prefix: str = "") -> dict[str, object]:
    """Show an asset; one that the chain does not allow shows as an empty one."""
    if asset is None:
        return {f"{prefix}asset_type": ""}
    shown: dict[str, object] = {f"{prefix}asset_type": asset_type(asset)}
    if issuer := issuer_of(asset):
        shown |= {f"{prefix}asset_code": asset.partition(":")[0], f"{prefix}asset_issuer": issuer}
    return shown


def party_fields(party: Party, name: str) -> dict[str, object]:
    """Show an account, with its muxed form if that is how it was named."""
    shown: dict[str, object] = {name: party.account}
    if party.muxed is not None:
        shown |= {f"{name}_muxed": party.muxed, f"{name}_muxed_id": str(party.muxed_id)}
    return shown
