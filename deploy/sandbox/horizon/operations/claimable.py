"""Claimable balances: setting an amount aside, claiming it, and taking it back as its issuer."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.entries import AUTH_CLAWBACK, LINE_CLAWBACK, Claimable, Claimant
from deploy.sandbox.horizon.chain.predicates import absolute, holds, is_valid, shown
from deploy.sandbox.horizon.chain.reserves import Reserved, release_claimable, reserve_claimable
from deploy.sandbox.horizon.chain.values import Party, account_id, account_of, amount, asset_of, given, issuer_of
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene, Success, asset_fields, party_fields
from deploy.sandbox.horizon.operations.transfers import Refusals, credit, debit

Create = xdr.CreateClaimableBalanceResultCode
Claim = xdr.ClaimClaimableBalanceResultCode
Back = xdr.ClawbackClaimableBalanceResultCode

MAKER = Refusals(
    Create.CREATE_CLAIMABLE_BALANCE_NO_TRUST,
    Create.CREATE_CLAIMABLE_BALANCE_NOT_AUTHORIZED,
    Create.CREATE_CLAIMABLE_BALANCE_UNDERFUNDED,
)
TAKER = Refusals(
    Claim.CLAIM_CLAIMABLE_BALANCE_NO_TRUST,
    Claim.CLAIM_CLAIMABLE_BALANCE_NOT_AUTHORIZED,
    Claim.CLAIM_CLAIMABLE_BALANCE_LINE_FULL,
)


@dataclass(frozen=True, slots=True)
class CreateClaimableBalance:
    """An amount of the source's for whoever claims it first."""

    asset: str | None
    stroops: int
    claimants: tuple[tuple[str, xdr.ClaimPredicate], ...]
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - whose it is does not matter
        """Refuse nothing, nobody, the same claimant twice, and odd predicates."""
        destinations = [destination for destination, _ in self.claimants]
        is_right = self.stroops > 0 and self.asset is not None and destinations and len({*destinations}) == len(destinations)
        if is_right and all(is_valid(predicate) for _, predicate in self.claimants):
            return None
        return Create.CREATE_CLAIMABLE_BALANCE_MALFORMED

    def apply(self, scene: Scene) -> Answer:
        """Set the amount aside."""
        asset, source = given(self.asset), scene.source.account
        refusal = debit(scene, source, asset, self.stroops, MAKER)
        if refusal is not None:
            return refusal
        account, units = scene.account(), len(self.claimants)
        low_reserve = Create.CREATE_CLAIMABLE_BALANCE_LOW_RESERVE
        match reserve_claimable(scene.draft, account, units, scene.rules, low_reserve=low_reserve):
            case Reserved(sponsor):
                scene.sponsor = sponsor
            case refused:
                return refused
        balance_id = make_balance_id(scene)
        line = account.lines.get(asset)
        is_issuer = source == issuer_of(asset)
        made = Claimable(
            id=balance_id.to_xdr_bytes().hex(),
            asset=asset,
            amount=self.stroops,
            sponsor=given(sponsor),
            last_modified=scene.rules.ledger,
            claimants=tuple(
                Claimant(destination, absolute(predicate, scene.rules.close_time).to_xdr_bytes())
                for destination, predicate in self.claimants
            ),
            is_clawback_enabled=bool(account.flags & AUTH_CLAWBACK)
            if is_issuer
            else line is not None and bool(line.flags & LINE_CLAWBACK),
        )
        scene.draft.put(made)
        scene.made = made.id
        self._note(scene, made)
        return Success(Create.CREATE_CLAIMABLE_BALANCE_SUCCESS, {"balance_id": balance_id})

    def _note(self, scene: Scene, made: Claimable) -> None:
        told = {"asset": made.asset, "balance_id": made.id, "amount": amount(made.amount)}
        scene.note(scene.source, "claimable_balance_created", **told)
        for destination, predicate in self.claimants:
            scene.note(destination, "claimable_balance_claimant_created", **told, predicate=shown(predicate))
        scene.note(scene.source, "account_debited", **asset_fields(made.asset), amount=amount(made.amount))

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        claimants = [{"destination": each, "predicate": shown(predicate)} for each, predicate in self.claimants]
        return {"asset": self.asset or "", "amount": amount(self.stroops), "claimants": claimants}

    def touched(self) -> Iterable[str]:
        """Name the claimants."""
        return tuple(destination for destination, _ in self.claimants)


@dataclass(frozen=True, slots=True)
class ClaimClaimableBalance:
    """The source takes a balance that was set aside for it."""

    balance_id: str
    level: Level = Level.LOW

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - nothing can be wrong with it alone
        """Refuse nothing."""
        return None

    def apply(self, scene: Scene) -> Answer:
        """Take it."""
        balance = scene.draft.claimable(self.balance_id)
        if balance is None:
            return Claim.CLAIM_CLAIMABLE_BALANCE_DOES_NOT_EXIST
        mine = next((each for each in balance.claimants if each.destination == scene.source.account), None)
        if mine is None or not holds(xdr.ClaimPredicate.from_xdr_bytes(mine.predicate), scene.rules.close_time):
            return Claim.CLAIM_CLAIMABLE_BALANCE_CANNOT_CLAIM
        refusal = credit(scene, scene.source.account, balance.asset, balance.amount, TAKER)
        if refusal is not None:
            return refusal
        release_claimable(scene.draft, balance.sponsor, len(balance.claimants))
        scene.draft.drop(balance.id)
        told = {"amount": amount(balance.amount), "balance_id": balance.id, "asset": balance.asset}
        scene.note(scene.source, "claimable_balance_claimed", **told)
        scene.note(scene.source, "account_credited", **asset_fields(balance.asset), amount=amount(balance.amount))
        return Claim.CLAIM_CLAIMABLE_BALANCE_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        return {"balance_id": self.balance_id} | party_fields(source, "claimant")

    def touched(self) -> Iterable[str]:
        """Name the balance."""
        return (self.balance_id,)


@dataclass(frozen=True, slots=True)
class ClawbackClaimableBalance:
    """The issuer unmakes a balance that was set aside."""

    balance_id: str
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - nothing can be wrong with it alone
        """Refuse nothing."""
        return None

    def apply(self, scene: Scene) -> Answer:
        """Unmake it."""
        balance = scene.draft.claimable(self.balance_id)
        if balance is None:
            return Back.CLAWBACK_CLAIMABLE_BALANCE_DOES_NOT_EXIST
        if issuer_of(balance.asset) != scene.source.account:
            return Back.CLAWBACK_CLAIMABLE_BALANCE_NOT_ISSUER
        if not balance.is_clawback_enabled:
            return Back.CLAWBACK_CLAIMABLE_BALANCE_NOT_CLAWBACK_ENABLED
        release_claimable(scene.draft, balance.sponsor, len(balance.claimants))
        scene.draft.drop(balance.id)
        scene.note(scene.source, "claimable_balance_clawed_back", balance_id=balance.id)
        scene.note(scene.source, "account_credited", **asset_fields(balance.asset), amount=amount(balance.amount))
        return Back.CLAWBACK_CLAIMABLE_BALANCE_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - it has one field
        """Show it."""
        return {"balance_id": self.balance_id}

    def touched(self) -> Iterable[str]:
        """Name the balance."""
        return (self.balance_id,)


def make_balance_id(scene: Scene) -> xdr.ClaimableBalanceID:
    """Derive a balance's id from the operation that makes it."""
    operation = xdr.HashIDPreimageOperationID(
        source_account=account_id(scene.transaction_source),
        seq_num=xdr.SequenceNumber(xdr.Int64(scene.sequence)),
        op_num=xdr.Uint32(scene.index),
    )
    preimage = xdr.HashIDPreimage(xdr.EnvelopeType.ENVELOPE_TYPE_OP_ID, operation_id=operation)
    digest = hashlib.sha256(preimage.to_xdr_bytes()).digest()
    return xdr.ClaimableBalanceID(xdr.ClaimableBalanceIDType.CLAIMABLE_BALANCE_ID_TYPE_V0, v0=xdr.Hash(digest))


def read_create_claimable_balance(body: xdr.OperationBody) -> CreateClaimableBalance:
    """Read an amount to set aside."""
    op = given(body.create_claimable_balance_op)
    arms = [given(claimant.v0) for claimant in op.claimants]
    claimants = tuple((account_of(arm.destination), arm.predicate) for arm in arms)
    return CreateClaimableBalance(asset_of(op.asset), op.amount.int64, claimants)


def read_claim_claimable_balance(body: xdr.OperationBody) -> ClaimClaimableBalance:
    """Read a claim."""
    return ClaimClaimableBalance(given(body.claim_claimable_balance_op).balance_id.to_xdr_bytes().hex())


def read_clawback_claimable_balance(body: xdr.OperationBody) -> ClawbackClaimableBalance:
    """Read a clawback of a claimable balance."""
    return ClawbackClaimableBalance(given(body.clawback_claimable_balance_op).balance_id.to_xdr_bytes().hex())
