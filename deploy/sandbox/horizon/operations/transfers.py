"""Taking an amount from an account and giving it to another, which payments and claimable balances share."""

from enum import IntEnum
from typing import NamedTuple

import msgspec

from deploy.sandbox.horizon.chain.entries import Account, Trustline
from deploy.sandbox.horizon.chain.rules import can_receive, spendable
from deploy.sandbox.horizon.chain.values import NATIVE, issuer_of
from deploy.sandbox.horizon.operations.scene import Scene


class Refusals(NamedTuple):
    """How an operation says that a side can't: no trustline, one that is not authorised, too little money or room."""

    no_trust: IntEnum
    not_authorized: IntEnum
    amount: IntEnum


def debit(scene: Scene, account: str, asset: str, amount: int, codes: Refusals) -> IntEnum | None:
    """Take an amount from an account; its issuer pays by making it."""
    if account == issuer_of(asset):
        return None
    owner = scene.draft.existing(account)
    if asset == NATIVE:
        if spendable(owner, scene.rules) < amount:
            return codes.amount
        owner.balance -= amount
        return None
    return _move(scene, owner, asset, -amount, codes)


def credit(scene: Scene, account: str, asset: str, amount: int, codes: Refusals) -> IntEnum | None:
    """Give an amount to an account; its issuer receives by unmaking it."""
    if account == issuer_of(asset):
        return None
    owner = scene.draft.existing(account)
    if asset == NATIVE:
        if not can_receive(owner, amount):
            return codes.amount
        owner.balance += amount
        return None
    return _move(scene, owner, asset, amount, codes)


def _move(scene: Scene, owner: Account, asset: str, delta: int, codes: Refusals) -> IntEnum | None:
    line = owner.lines.get(asset)
    if line is None:
        return codes.no_trust
    if not line.is_authorized:
        return codes.not_authorized
    balance = line.balance + delta
    if balance < 0 or balance > line.limit:
        return codes.amount
    set_line(scene, owner, asset, msgspec.structs.replace(line, balance=balance))
    return None


def set_line(scene: Scene, owner: Account, asset: str, line: Trustline) -> None:
    """Replace one trustline of an account."""
    changed = msgspec.structs.replace(line, last_modified=scene.rules.ledger)
    owner.lines = {**owner.lines, asset: changed}
