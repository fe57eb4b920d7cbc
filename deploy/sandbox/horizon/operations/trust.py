"""Trustlines: opening and closing them, and what their issuer may do to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import msgspec
from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.entries import (
    AUTH_CLAWBACK,
    AUTH_REQUIRED,
    LINE_AUTHORIZED,
    LINE_CLAWBACK,
    Trustline,
)
from deploy.sandbox.horizon.chain.reserves import Reserved, release_subentry, reserve_subentry
from deploy.sandbox.horizon.chain.values import NATIVE, Party, amount, asset_of, given, issuer_of, party_of
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene, asset_fields, party_fields
from deploy.sandbox.horizon.operations.transfers import set_line

Change = xdr.ChangeTrustResultCode
Back = xdr.ClawbackResultCode


@dataclass(frozen=True, slots=True)
class ChangeTrust:
    """How much of an asset the source would hold; 0 closes the line."""

    asset: str | None
    limit: int
    is_pool_share: bool = False
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:
        """Refuse negative limits, lumens, and the source's own asset; pool shares are not dealt in here."""
        if self.is_pool_share:
            return xdr.OperationResultCode.opNOT_SUPPORTED
        is_wrong = self.limit < 0 or self.asset is None or self.asset == NATIVE or issuer_of(self.asset) == source
        return Change.CHANGE_TRUST_MALFORMED if is_wrong else None

    def apply(self, scene: Scene) -> Answer:
        """Open, change or close the line."""
        asset, owner = given(self.asset), scene.account()
        line = owner.lines.get(asset)
        if line is None:
            return self._open(scene, asset)
        if self.limit < line.balance:
            return Change.CHANGE_TRUST_INVALID_LIMIT
        if self.limit == 0:
            release_subentry(scene.draft, owner, line.sponsor)
            owner.lines = {name: each for name, each in owner.lines.items() if name != asset}
            self._note(scene, "trustline_removed", asset)
            return Change.CHANGE_TRUST_SUCCESS
        if scene.draft.peek(issuer_of(asset)) is None:
            return Change.CHANGE_TRUST_NO_ISSUER
        set_line(scene, owner, asset, msgspec.structs.replace(line, limit=self.limit))
        self._note(scene, "trustline_updated", asset)
        return Change.CHANGE_TRUST_SUCCESS

    def _open(self, scene: Scene, asset: str) -> Answer:
        if self.limit == 0:
            return Change.CHANGE_TRUST_INVALID_LIMIT
        issuer = scene.draft.peek_account(issuer_of(asset))
        if issuer is None:
            return Change.CHANGE_TRUST_NO_ISSUER
        owner = scene.account()
        match reserve_subentry(scene.draft, owner, scene.rules, low_reserve=Change.CHANGE_TRUST_LOW_RESERVE):
            case Reserved(sponsor):
                scene.sponsor = sponsor
            case refusal:
                return refusal
        flags = 0 if issuer.flags & AUTH_REQUIRED else LINE_AUTHORIZED
        flags |= LINE_CLAWBACK if issuer.flags & AUTH_CLAWBACK else 0
        set_line(scene, owner, asset, Trustline(0, self.limit, flags, scene.rules.ledger, sponsor))
        self._note(scene, "trustline_created", asset)
        return Change.CHANGE_TRUST_SUCCESS

    def _note(self, scene: Scene, name: str, asset: str) -> None:
        scene.note(scene.source, name, **asset_fields(asset), limit=amount(self.limit))

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        trustee = {"trustee": issuer_of(self.asset or "")}
        return asset_fields(self.asset) | {"limit": amount(self.limit)} | trustee | party_fields(source, "trustor")

    def touched(self) -> Iterable[str]:
        """Name nobody: the issuer is not told."""
        return ()


@dataclass(frozen=True, slots=True)
class Clawback:
    """An amount that its issuer takes back from a holder and unmakes."""

    holder: Party
    asset: str | None
    stroops: int
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:
        """Refuse nothing, others' assets, and oneself."""
        is_wrong = self.stroops <= 0 or self.asset is None or issuer_of(self.asset) != source or self.holder.account == source
        return Back.CLAWBACK_MALFORMED if is_wrong else None

    def apply(self, scene: Scene) -> Answer:
        """Take it."""
        asset, owner = given(self.asset), scene.draft.account(self.holder.account)
        line = None if owner is None else owner.lines.get(asset)
        if owner is None or line is None:
            return Back.CLAWBACK_NO_TRUST
        if not line.flags & LINE_CLAWBACK:
            return Back.CLAWBACK_NOT_CLAWBACK_ENABLED
        if line.balance < self.stroops:
            return Back.CLAWBACK_UNDERFUNDED
        set_line(scene, owner, asset, msgspec.structs.replace(line, balance=line.balance - self.stroops))
        for party, name in ((scene.source, "account_credited"), (self.holder, "account_debited")):
            scene.note(party, name, **asset_fields(asset), amount=amount(self.stroops))
        return Back.CLAWBACK_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        return asset_fields(self.asset) | party_fields(self.holder, "from") | {"amount": amount(self.stroops)}

    def touched(self) -> Iterable[str]:
        """Name the holder."""
        return (self.holder.account,)


def read_change_trust(body: xdr.OperationBody) -> ChangeTrust:
    """Read a trustline's limit."""
    op = given(body.change_trust_op)
    return ChangeTrust(asset_of(op.line), op.limit.int64, op.line.type == xdr.AssetType.ASSET_TYPE_POOL_SHARE)


def read_clawback(body: xdr.OperationBody) -> Clawback:
    """Read a clawback."""
    op = given(body.clawback_op)
    return Clawback(party_of(op.from_), asset_of(op.asset), op.amount.int64)
