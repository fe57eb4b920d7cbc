"""What an issuer says of its holders' trustlines: authorised, or not, or only to keep what they have."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec
from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.entries import (
    AUTH_REVOCABLE,
    LINE_AUTHORIZED,
    LINE_CLAWBACK,
    LINE_MAINTAIN,
    Trustline,
)
from deploy.sandbox.horizon.chain.values import NATIVE, Party, account_of, asset_of, code_of, given, issuer_of
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene, asset_fields, party_fields
from deploy.sandbox.horizon.operations.transfers import set_line

Flags = xdr.SetTrustLineFlagsResultCode
Allow = xdr.AllowTrustResultCode

_AUTH: Final = LINE_AUTHORIZED | LINE_MAINTAIN
_NAMES: Final = {
    LINE_AUTHORIZED: "authorized",
    LINE_MAINTAIN: "authorized_to_maintain_liabilites",
    LINE_CLAWBACK: "clawback_enabled",
}
"""Horizon's names, its spelling included."""


@dataclass(frozen=True, slots=True)
class SetTrustLineFlags:
    """Flags of one holder's line to set and to clear."""

    trustor: str
    asset: str | None
    sets: int
    clears: int
    level: Level = Level.LOW

    def fault(self, source: str) -> IntEnum | None:
        """Refuse others' assets, oneself, unknown flags, and both authorisations at once."""
        is_own = self.asset not in {None, NATIVE} and issuer_of(self.asset or "") == source and self.trustor != source
        is_settable = not self.sets & ~_AUTH and self.sets != _AUTH and not self.sets & self.clears
        is_clearable = not self.clears & ~(_AUTH | LINE_CLAWBACK)
        return None if is_own and is_settable and is_clearable else Flags.SET_TRUST_LINE_FLAGS_MALFORMED

    def apply(self, scene: Scene) -> Answer:
        """Set and clear; taking authorisation away needs a revocable issuer."""
        asset = given(self.asset)
        is_revoking = bool(self.clears & _AUTH) and not self.sets & LINE_AUTHORIZED
        if is_revoking and not scene.account().flags & AUTH_REVOCABLE:
            return Flags.SET_TRUST_LINE_FLAGS_CANT_REVOKE
        owner = scene.draft.account(self.trustor)
        line = None if owner is None else owner.lines.get(asset)
        if owner is None or line is None:
            return Flags.SET_TRUST_LINE_FLAGS_NO_TRUST_LINE
        flags = line.flags & ~self.clears | self.sets
        if flags & _AUTH == _AUTH:
            return Flags.SET_TRUST_LINE_FLAGS_INVALID_STATE
        set_line(scene, owner, asset, msgspec.structs.replace(line, flags=flags))
        _note_flags(scene, self.trustor, asset, sets=self.sets, clears=self.clears)
        return Flags.SET_TRUST_LINE_FLAGS_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        shown = asset_fields(self.asset) | {"trustor": self.trustor}
        for name, flags in (("set", self.sets), ("clear", self.clears)):
            if flags:
                known = [flag for flag in _NAMES if flags & flag]
                shown |= {f"{name}_flags": known, f"{name}_flags_s": [_NAMES[flag] for flag in known]}
        return shown

    def touched(self) -> Iterable[str]:
        """Name the holder."""
        return (self.trustor,)


@dataclass(frozen=True, slots=True)
class AllowTrust:
    """The older way to authorise a holder of the source's own asset."""

    trustor: str
    code: str | None
    authorize: int
    level: Level = Level.LOW

    def fault(self, source: str) -> IntEnum | None:
        """Refuse unknown flags, both authorisations at once, and oneself."""
        is_wrong = self.authorize & ~_AUTH or self.authorize == _AUTH or self.code is None or self.trustor == source
        return Allow.ALLOW_TRUST_MALFORMED if is_wrong else None

    def apply(self, scene: Scene) -> Answer:
        """Authorise, or stop to; stopping needs a revocable issuer."""
        asset = f"{self.code}:{scene.source.account}"
        is_revocable = bool(scene.account().flags & AUTH_REVOCABLE)
        if not self.authorize and not is_revocable:
            return Allow.ALLOW_TRUST_CANT_REVOKE
        owner = scene.draft.account(self.trustor)
        line = None if owner is None else owner.lines.get(asset)
        if owner is None or line is None:
            return Allow.ALLOW_TRUST_NO_TRUST_LINE
        if not is_revocable and line.is_authorized and self.authorize == LINE_MAINTAIN:
            return Allow.ALLOW_TRUST_CANT_REVOKE
        self._set(scene, asset, line)
        return Allow.ALLOW_TRUST_SUCCESS

    def _set(self, scene: Scene, asset: str, line: Trustline) -> None:
        flags = line.flags & ~_AUTH | self.authorize
        set_line(scene, scene.draft.existing(self.trustor), asset, msgspec.structs.replace(line, flags=flags))
        names = {LINE_AUTHORIZED: "trustline_authorized", LINE_MAINTAIN: "trustline_authorized_to_maintain_liabilities"}
        scene.note(scene.source, names.get(self.authorize, "trustline_deauthorized"), **asset_fields(asset), trustor=self.trustor)
        _note_flags(scene, self.trustor, asset, sets=self.authorize, clears=0 if self.authorize else _AUTH)

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        asset = None if self.code is None else f"{self.code}:{source.account}"
        is_authorized = bool(self.authorize & LINE_AUTHORIZED)
        shown: dict[str, object] = {"trustor": self.trustor, "authorize": is_authorized}
        shown["authorize_to_maintain_liabilities"] = is_authorized or bool(self.authorize & LINE_MAINTAIN)
        return asset_fields(asset) | party_fields(source, "trustee") | shown

    def touched(self) -> Iterable[str]:
        """Name the holder."""
        return (self.trustor,)


def _note_flags(scene: Scene, trustor: str, asset: str, *, sets: int, clears: int) -> None:
    keys = {
        LINE_AUTHORIZED: "authorized_flag",
        LINE_MAINTAIN: "authorized_to_maintain_liabilites_flag",
        LINE_CLAWBACK: "clawback_enabled_flag",
    }
    changed = {key: value for flag, key in keys.items() for value, flags in ((True, sets), (False, clears)) if flags & flag}
    scene.note(scene.source, "trustline_flags_updated", **asset_fields(asset), trustor=trustor, **changed)


def read_set_trust_line_flags(body: xdr.OperationBody) -> SetTrustLineFlags:
    """Read flags to set and clear."""
    op = given(body.set_trust_line_flags_op)
    return SetTrustLineFlags(account_of(op.trustor), asset_of(op.asset), op.set_flags.uint32, op.clear_flags.uint32)


def read_allow_trust(body: xdr.OperationBody) -> AllowTrust:
    """Read an authorisation."""
    op = given(body.allow_trust_op)
    return AllowTrust(account_of(op.trustor), code_of(op.asset), op.authorize.uint32)
