"""Sponsoring: promising to pay others' reserves for the rest of a transaction, and changing who pays for what is there."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec
from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.entries import Account, Claimable
from deploy.sandbox.horizon.chain.reserves import move_sponsorship
from deploy.sandbox.horizon.chain.rules import ACCOUNT_RESERVES
from deploy.sandbox.horizon.chain.signatures import signer_address
from deploy.sandbox.horizon.chain.values import NATIVE, Party, account_of, asset_of, given, issuer_of
from deploy.sandbox.horizon.operations.options import is_printable
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene

Begin = xdr.BeginSponsoringFutureReservesResultCode
End = xdr.EndSponsoringFutureReservesResultCode
Revoke = xdr.RevokeSponsorshipResultCode
Sort = xdr.LedgerEntryType

_SORTS: Final = {Sort.ACCOUNT, Sort.TRUSTLINE, Sort.OFFER, Sort.DATA, Sort.CLAIMABLE_BALANCE}


@dataclass(frozen=True, slots=True)
class BeginSponsoring:
    """From here on the source pays for what is made for an account, until that account says it is enough."""

    sponsored: str
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:
        """Refuse oneself."""
        return Begin.BEGIN_SPONSORING_FUTURE_RESERVES_MALFORMED if self.sponsored == source else None

    def apply(self, scene: Scene) -> Answer:
        """Promise. Nobody is sponsored twice, and sponsors are not sponsored."""
        promises, sponsor = scene.draft.promises, scene.source.account
        if self.sponsored in promises:
            return Begin.BEGIN_SPONSORING_FUTURE_RESERVES_ALREADY_SPONSORED
        if sponsor in promises or self.sponsored in promises.values():
            return Begin.BEGIN_SPONSORING_FUTURE_RESERVES_RECURSIVE
        scene.draft.promises = {**promises, self.sponsored: sponsor}
        return Begin.BEGIN_SPONSORING_FUTURE_RESERVES_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - it has one field
        """Show it."""
        return {"sponsored_id": self.sponsored}

    def touched(self) -> Iterable[str]:
        """Name who is sponsored."""
        return (self.sponsored,)


@dataclass(frozen=True, slots=True)
class EndSponsoring:
    """The source, which is being sponsored, says it is enough."""

    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - nothing can be wrong with it alone
        """Refuse nothing."""
        return None

    def apply(self, scene: Scene) -> Answer:
        """End the promise."""
        promises, sponsored = scene.draft.promises, scene.source.account
        if sponsored not in promises:
            return End.END_SPONSORING_FUTURE_RESERVES_NOT_SPONSORED
        scene.draft.promises = {each: sponsor for each, sponsor in promises.items() if each != sponsored}
        return End.END_SPONSORING_FUTURE_RESERVES_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - its history knows more
        """Show nothing; who began it stands in another operation."""
        return {}

    def touched(self) -> Iterable[str]:
        """Name nobody."""
        return ()


@dataclass(frozen=True, slots=True)
class RevokeSponsorship:
    """Who pays for an entry changes: from the source to the owner, or to whoever sponsors the source just now.

    `key` is a claimable balance's id, a trustline's asset, a data entry's name or a signer's key; `owner` is empty for a
    claimable balance.
    """

    sort: xdr.LedgerEntryType | None
    owner: str
    key: str | None = None
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - whose it is is found out when it is applied
        """Refuse entries that can't be sponsored."""
        is_wrong = self.sort is not None and self.sort not in _SORTS
        if self.sort == Sort.TRUSTLINE:
            is_wrong = self.key in {None, NATIVE} or issuer_of(self.key or "") == self.owner
        if self.sort == Sort.DATA:
            is_wrong = not self.key or not is_printable(self.key.encode())
        return Revoke.REVOKE_SPONSORSHIP_MALFORMED if is_wrong else None

    def apply(self, scene: Scene) -> Answer:
        """Find who pays now and who is to pay, and have them change."""
        if self.sort == Sort.CLAIMABLE_BALANCE:
            return self._move_claimable(scene)
        owner = scene.draft.account(self.owner)
        if owner is None or not self._is_there(owner):
            return Revoke.REVOKE_SPONSORSHIP_DOES_NOT_EXIST
        old = self._sponsor(owner)
        if scene.source.account != (old or owner.id):
            return Revoke.REVOKE_SPONSORSHIP_NOT_SPONSOR
        promised = scene.draft.promises.get(scene.source.account)
        new = None if promised == owner.id else promised
        units = ACCOUNT_RESERVES if self.sort == Sort.ACCOUNT else 1
        low_reserve = Revoke.REVOKE_SPONSORSHIP_LOW_RESERVE
        refusal = move_sponsorship(scene.draft, owner, units, scene.rules, old=old, new=new, low_reserve=low_reserve)
        if refusal is not None:
            return refusal
        self._set_sponsor(owner, new)
        return Revoke.REVOKE_SPONSORSHIP_SUCCESS

    def _move_claimable(self, scene: Scene) -> Answer:
        balance = scene.draft.claimable(self.key or "")
        if balance is None:
            return Revoke.REVOKE_SPONSORSHIP_DOES_NOT_EXIST
        if balance.sponsor != scene.source.account:
            return Revoke.REVOKE_SPONSORSHIP_NOT_SPONSOR
        new = scene.draft.promises.get(scene.source.account)
        if new is None:
            return Revoke.REVOKE_SPONSORSHIP_ONLY_TRANSFERABLE
        return self._hand_over(scene, balance, new)

    def _hand_over(self, scene: Scene, balance: Claimable, new: str) -> Answer:
        units, low_reserve = len(balance.claimants), Revoke.REVOKE_SPONSORSHIP_LOW_RESERVE
        refusal = move_sponsorship(scene.draft, None, units, scene.rules, old=balance.sponsor, new=new, low_reserve=low_reserve)
        if refusal is not None:
            return refusal
        balance.sponsor = new
        scene.draft.put(balance)
        return Revoke.REVOKE_SPONSORSHIP_SUCCESS

    def _is_there(self, owner: Account) -> bool:
        if self.sort is None:
            return any(signer.key == self.key for signer in owner.signers)
        if self.sort == Sort.TRUSTLINE:
            return self.key in owner.lines
        return self.sort == Sort.ACCOUNT or (self.sort == Sort.DATA and self.key in owner.data)

    def _sponsor(self, owner: Account) -> str | None:
        if self.sort is None:
            return next(signer.sponsor for signer in owner.signers if signer.key == self.key)
        if self.sort == Sort.TRUSTLINE:
            return owner.lines[self.key or ""].sponsor
        return owner.data[self.key or ""].sponsor if self.sort == Sort.DATA else owner.sponsor

    def _set_sponsor(self, owner: Account, sponsor: str | None) -> None:
        replace, key = msgspec.structs.replace, self.key or ""
        if self.sort is None:
            owner.signers = tuple(replace(each, sponsor=sponsor) if each.key == key else each for each in owner.signers)
        elif self.sort == Sort.TRUSTLINE:
            owner.lines = {**owner.lines, key: replace(owner.lines[key], sponsor=sponsor)}
        elif self.sort == Sort.DATA:
            owner.data = {**owner.data, key: replace(owner.data[key], sponsor=sponsor)}
        else:
            owner.sponsor = sponsor

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show what it is about."""
        if self.sort is None:
            return {"signer_account_id": self.owner, "signer_key": self.key}
        if self.sort == Sort.CLAIMABLE_BALANCE:
            return {"claimable_balance_id": self.key}
        if self.sort == Sort.TRUSTLINE:
            return {"trustline_account_id": self.owner, "trustline_asset": self.key or ""}
        if self.sort == Sort.DATA:
            return {"data_account_id": self.owner, "data_name": self.key}
        return {"offer_id": self.key} if self.sort == Sort.OFFER else {"account_id": self.owner}

    def touched(self) -> Iterable[str]:
        """Name the owner, or the balance."""
        return tuple(each for each in (self.owner,) if each) or tuple(each for each in (self.key,) if each)


def read_begin_sponsoring(body: xdr.OperationBody) -> BeginSponsoring:
    """Read a promise."""
    return BeginSponsoring(account_of(given(body.begin_sponsoring_future_reserves_op).sponsored_id))


def read_end_sponsoring(body: xdr.OperationBody) -> EndSponsoring:  # noqa: ARG001 - it has no body
    """Read the end of a promise."""
    return EndSponsoring()


def read_revoke_sponsorship(body: xdr.OperationBody) -> RevokeSponsorship:
    """Read a change of who pays."""
    op = given(body.revoke_sponsorship_op)
    if op.type == xdr.RevokeSponsorshipType.REVOKE_SPONSORSHIP_SIGNER:
        signer = given(op.signer)
        return RevokeSponsorship(None, account_of(signer.account_id), signer_address(signer.signer_key))
    key = given(op.ledger_key)
    if key.type == Sort.ACCOUNT:
        return RevokeSponsorship(key.type, account_of(given(key.account).account_id))
    if key.type == Sort.TRUSTLINE:
        line = given(key.trust_line)
        return RevokeSponsorship(key.type, account_of(line.account_id), asset_of(line.asset))
    if key.type == Sort.DATA:
        data = given(key.data)
        return RevokeSponsorship(key.type, account_of(data.account_id), data.data_name.string64.decode(errors="replace"))
    if key.type == Sort.CLAIMABLE_BALANCE:
        return RevokeSponsorship(key.type, "", given(key.claimable_balance).balance_id.to_xdr_bytes().hex())
    if key.type == Sort.OFFER:
        offer = given(key.offer)
        return RevokeSponsorship(key.type, account_of(offer.seller_id), str(offer.offer_id.int64))
    return RevokeSponsorship(key.type, "")
