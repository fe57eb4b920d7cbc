"""Making an account, merging one into another, and moving its sequence number on."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.entries import AUTH_IMMUTABLE, Account
from deploy.sandbox.horizon.chain.reserves import Reserved, release_account, release_subentry, reserve_account
from deploy.sandbox.horizon.chain.rules import can_receive, spendable
from deploy.sandbox.horizon.chain.values import Party, account_of, amount, given, party_of
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene, Success, party_fields

Create = xdr.CreateAccountResultCode
Merge = xdr.AccountMergeResultCode
Bump = xdr.BumpSequenceResultCode


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """A new account, with lumens of the source."""

    destination: str
    starting_balance: int
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:
        """Refuse negative balances and making oneself."""
        is_wrong = self.starting_balance < 0 or self.destination == source
        return Create.CREATE_ACCOUNT_MALFORMED if is_wrong else None

    def apply(self, scene: Scene) -> Answer:
        """Make it. A sponsored account may begin with nothing."""
        draft, rules = scene.draft, scene.rules
        if draft.peek(self.destination) is not None:
            return Create.CREATE_ACCOUNT_ALREADY_EXIST
        made = Account(self.destination, self.starting_balance, rules.first_sequence, rules.ledger)
        match reserve_account(draft, made, rules, low_reserve=Create.CREATE_ACCOUNT_LOW_RESERVE):
            case Reserved(sponsor):
                made.sponsor = scene.sponsor = sponsor
            case refusal:
                return refusal
        source = scene.account()
        if spendable(source, rules) < self.starting_balance:
            return Create.CREATE_ACCOUNT_UNDERFUNDED
        source.balance -= self.starting_balance
        draft.put(made)
        balance = amount(self.starting_balance)
        scene.note(self.destination, "account_created", starting_balance=balance)
        scene.note(scene.source, "account_debited", asset_type="native", amount=balance)
        scene.note(self.destination, "signer_created", weight=1, public_key=self.destination, key="")
        return Create.CREATE_ACCOUNT_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        shown: dict[str, object] = {"starting_balance": amount(self.starting_balance), "account": self.destination}
        return shown | party_fields(source, "funder")

    def touched(self) -> Iterable[str]:
        """Name the new account."""
        return (self.destination,)


@dataclass(frozen=True, slots=True)
class AccountMerge:
    """The end of the source account; its lumens go to another."""

    destination: Party
    level: Level = Level.HIGH

    def fault(self, source: str) -> IntEnum | None:
        """Refuse merging into itself."""
        return Merge.ACCOUNT_MERGE_MALFORMED if self.destination.account == source else None

    def apply(self, scene: Scene) -> Answer:
        """Merge."""
        draft, rules, source = scene.draft, scene.rules, scene.account()
        destination = draft.account(self.destination.account)
        if destination is None:
            return Merge.ACCOUNT_MERGE_NO_ACCOUNT
        if source.flags & AUTH_IMMUTABLE:
            return Merge.ACCOUNT_MERGE_IMMUTABLE_SET
        if source.subentries != len(source.signers):
            return Merge.ACCOUNT_MERGE_HAS_SUB_ENTRIES
        if source.sequence >= rules.first_sequence:
            return Merge.ACCOUNT_MERGE_SEQNUM_TOO_FAR
        if source.sponsoring or source.id in draft.promises.values():
            return Merge.ACCOUNT_MERGE_IS_SPONSOR
        for signer in source.signers:
            release_subentry(draft, source, signer.sponsor)
        release_account(draft, source)
        moved = source.balance
        if not can_receive(destination, moved):
            return Merge.ACCOUNT_MERGE_DEST_FULL
        destination.balance += moved
        draft.drop(source.id)
        scene.note(scene.source, "account_debited", asset_type="native", amount=amount(moved))
        scene.note(self.destination, "account_credited", asset_type="native", amount=amount(moved))
        scene.note(scene.source, "account_removed")
        return Success(Merge.ACCOUNT_MERGE_SUCCESS, {"source_account_balance": xdr.Int64(moved)})

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        return party_fields(source, "account") | party_fields(self.destination, "into")

    def touched(self) -> Iterable[str]:
        """Name the account merged into."""
        return (self.destination.account,)


@dataclass(frozen=True, slots=True)
class BumpSequence:
    """A jump of the source's sequence number; never backwards."""

    bump_to: int
    level: Level = Level.LOW

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - whose it is does not matter
        """Refuse negative numbers."""
        return Bump.BUMP_SEQUENCE_BAD_SEQ if self.bump_to < 0 else None

    def apply(self, scene: Scene) -> Answer:
        """Jump, or stay without complaint if the account is there already."""
        source = scene.account()
        source.sequence_ledger, source.sequence_time = scene.rules.ledger, scene.rules.close_time
        if self.bump_to > source.sequence:
            source.sequence = self.bump_to
            scene.note(scene.source, "sequence_bumped", new_seq=str(self.bump_to))
        return Bump.BUMP_SEQUENCE_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - it has one field
        """Show it."""
        return {"bump_to": str(self.bump_to)}

    def touched(self) -> Iterable[str]:
        """Name nobody."""
        return ()


def read_create_account(body: xdr.OperationBody) -> CreateAccount:
    """Read the making of an account."""
    op = given(body.create_account_op)
    return CreateAccount(account_of(op.destination), op.starting_balance.int64)


def read_account_merge(body: xdr.OperationBody) -> AccountMerge:
    """Read a merge."""
    return AccountMerge(party_of(given(body.destination)))


def read_bump_sequence(body: xdr.OperationBody) -> BumpSequence:
    """Read a jump."""
    return BumpSequence(given(body.bump_sequence_op).bump_to.sequence_number.int64)
