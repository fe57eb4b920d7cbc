"""Who pays the reserve for what: the owner, or whoever promised to sponsor (CAP-33)."""

from dataclasses import dataclass
from enum import IntEnum

from stellar_sdk.xdr import OperationResultCode

from deploy.sandbox.horizon.chain.draft import Draft
from deploy.sandbox.horizon.chain.entries import Account
from deploy.sandbox.horizon.chain.rules import ACCOUNT_RESERVES, SUBENTRIES_MAX, Rules, minimum_balance, spendable


@dataclass(frozen=True, slots=True)
class Reserved:
    """The reserve is taken, from the sponsor if there is one."""

    sponsor: str | None


def reserve_subentry(draft: Draft, owner: Account, rules: Rules, *, low_reserve: IntEnum) -> Reserved | IntEnum:
    """Take the reserve of one trustline, signer or data entry; `low_reserve` is the refusal if nobody can pay."""
    if owner.subentries >= SUBENTRIES_MAX:
        return OperationResultCode.opTOO_MANY_SUBENTRIES
    sponsor = draft.promises.get(owner.id)
    payer = owner if sponsor is None else draft.existing(sponsor)
    if spendable(payer, rules) < rules.base_reserve:
        return low_reserve
    owner.subentries += 1
    _take(payer, owner, 1, sponsor)
    return Reserved(sponsor)


def release_subentry(draft: Draft, owner: Account, sponsor: str | None) -> None:
    """Give the reserve of one subentry back."""
    owner.subentries -= 1
    _give_back(draft, owner, 1, sponsor)


def reserve_account(draft: Draft, made: Account, rules: Rules, *, low_reserve: IntEnum) -> Reserved | IntEnum:
    """Take the reserve of an account that is being created, from its own balance or its sponsor's."""
    sponsor = draft.promises.get(made.id)
    if sponsor is None:
        return low_reserve if made.balance < minimum_balance(made, rules) else Reserved(None)
    payer = draft.existing(sponsor)
    if spendable(payer, rules) < ACCOUNT_RESERVES * rules.base_reserve:
        return low_reserve
    _take(payer, made, ACCOUNT_RESERVES, sponsor)
    return Reserved(sponsor)


def reserve_claimable(draft: Draft, source: Account, units: int, rules: Rules, *, low_reserve: IntEnum) -> Reserved | IntEnum:
    """Take the reserve of a claimable balance, one unit a claimant; somebody always sponsors it, at least its source."""
    sponsor = draft.promises.get(source.id)
    payer = source if sponsor is None else draft.existing(sponsor)
    if spendable(payer, rules) < units * rules.base_reserve:
        return low_reserve
    payer.sponsoring += units
    return Reserved(payer.id)


def release_claimable(draft: Draft, sponsor: str, units: int) -> None:
    """Give the reserve of a claimable balance back."""
    draft.existing(sponsor).sponsoring -= units


def release_account(draft: Draft, account: Account) -> None:
    """Give an account's own reserve back to its sponsor, if it has one."""
    _give_back(draft, account, ACCOUNT_RESERVES, account.sponsor)


def move_sponsorship(
    draft: Draft, owner: Account | None, units: int, rules: Rules, *, old: str | None, new: str | None, low_reserve: IntEnum
) -> IntEnum | None:
    """Make `new` pay what `old` paid, None being the owner; return the refusal if the one to pay can't.

    A claimable balance has no owner and always has both.
    """
    if old == new:
        return None
    payer = owner if new is None else draft.existing(new)
    if payer is None or spendable(payer, rules) < units * rules.base_reserve:
        return low_reserve
    if old is not None:
        draft.existing(old).sponsoring -= units
    if new is not None:
        payer.sponsoring += units
    if owner is not None:
        owner.sponsored += units * ((new is not None) - (old is not None))
    return None


def _take(payer: Account, owner: Account, units: int, sponsor: str | None) -> None:
    if sponsor is not None:
        payer.sponsoring += units
        owner.sponsored += units


def _give_back(draft: Draft, owner: Account, units: int, sponsor: str | None) -> None:
    if sponsor is not None:
        draft.existing(sponsor).sponsoring -= units
        owner.sponsored -= units
