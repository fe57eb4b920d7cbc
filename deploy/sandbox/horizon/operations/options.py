"""An account's own settings: thresholds, signers, flags, home domain."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from stellar_sdk import xdr
from stellar_sdk.xdr.constants import MAX_SIGNERS

from deploy.sandbox.horizon.chain.entries import (
    AUTH_CLAWBACK,
    AUTH_IMMUTABLE,
    AUTH_REQUIRED,
    AUTH_REVOCABLE,
    Account,
    Signer,
)
from deploy.sandbox.horizon.chain.reserves import Reserved, release_subentry, reserve_subentry
from deploy.sandbox.horizon.chain.signatures import WEIGHT_MAX, Kind, parts, signer_address
from deploy.sandbox.horizon.chain.values import Party, account_of, given
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene

Code = xdr.SetOptionsResultCode

_FLAGS: Final = {
    AUTH_REQUIRED: "auth_required",
    AUTH_REVOCABLE: "auth_revocable",
    AUTH_IMMUTABLE: "auth_immutable",
    AUTH_CLAWBACK: "auth_clawback_enabled",
}
_ALL_FLAGS: Final = sum(_FLAGS)


@dataclass(frozen=True, slots=True)
class SetOptions:
    """What to change; None leaves it as it is. A signer of weight 0 is taken away."""

    inflation_destination: str | None = None
    clears: int | None = None
    sets: int | None = None
    master_weight: int | None = None
    low_threshold: int | None = None
    medium_threshold: int | None = None
    high_threshold: int | None = None
    home_domain: bytes | None = None
    signer_key: str | None = None
    signer_weight: int = 0

    @property
    def level(self) -> Level:
        """High when it changes who may sign, else medium."""
        changes_who_signs = (
            self.master_weight is not None
            or self.signer_key is not None
            or any(each is not None for each in (self.low_threshold, self.medium_threshold, self.high_threshold))
        )
        return Level.HIGH if changes_who_signs else Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:
        """Refuse unknown and contradicting flags, weights out of range, odd signers and domains."""
        sets, clears = self.sets or 0, self.clears or 0
        if (sets | clears) & ~_ALL_FLAGS:
            return Code.SET_OPTIONS_UNKNOWN_FLAG
        if sets & clears:
            return Code.SET_OPTIONS_BAD_FLAGS
        weights = (self.master_weight, self.low_threshold, self.medium_threshold, self.high_threshold)
        if any(weight is not None and weight > WEIGHT_MAX for weight in weights):
            return Code.SET_OPTIONS_THRESHOLD_OUT_OF_RANGE
        if self.signer_key is not None and self._is_signer_odd(source, self.signer_key):
            return Code.SET_OPTIONS_BAD_SIGNER
        if self.home_domain is not None and not is_printable(self.home_domain):
            return Code.SET_OPTIONS_INVALID_HOME_DOMAIN
        return None

    def _is_signer_odd(self, source: str, key: str) -> bool:
        if key == source or self.signer_weight > WEIGHT_MAX:
            return True
        taken_apart = parts(key)
        return taken_apart.kind is Kind.PAYLOAD and not taken_apart.payload

    def apply(self, scene: Scene) -> Answer:
        """Change what is to change."""
        account = scene.account()
        if self.inflation_destination is not None:
            if scene.draft.peek(self.inflation_destination) is None:
                return Code.SET_OPTIONS_INVALID_INFLATION
            account.inflation_destination = self.inflation_destination
        refusal = self._set_flags(account)
        if refusal is not None:
            return refusal
        if self.home_domain is not None:
            account.home_domain = self.home_domain.decode()
        for name in ("master_weight", "low_threshold", "medium_threshold", "high_threshold"):
            if (value := getattr(self, name)) is not None:
                setattr(account, name, value)
        self._note(scene)
        if self.signer_key is not None:
            return self._set_signer(scene, account, self.signer_key)
        return Code.SET_OPTIONS_SUCCESS

    def _set_flags(self, account: Account) -> IntEnum | None:
        if account.flags & AUTH_IMMUTABLE and (self.sets or self.clears):
            return Code.SET_OPTIONS_CANT_CHANGE
        account.flags = account.flags & ~(self.clears or 0) | (self.sets or 0)
        if account.flags & AUTH_CLAWBACK and not account.flags & AUTH_REVOCABLE:
            return Code.SET_OPTIONS_AUTH_REVOCABLE_REQUIRED
        return None

    def _set_signer(self, scene: Scene, account: Account, key: str) -> Answer:
        known = next((signer for signer in account.signers if signer.key == key), None)
        others = tuple(signer for signer in account.signers if signer.key != key)
        if self.signer_weight == 0:
            if known is not None:
                release_subentry(scene.draft, account, known.sponsor)
                account.signers = others
                scene.note(scene.source, "signer_removed", weight=0, public_key=key, key="")
            return Code.SET_OPTIONS_SUCCESS
        sponsor = None if known is None else known.sponsor
        if known is None:
            if len(others) >= MAX_SIGNERS:
                return Code.SET_OPTIONS_TOO_MANY_SIGNERS
            match reserve_subentry(scene.draft, account, scene.rules, low_reserve=Code.SET_OPTIONS_LOW_RESERVE):
                case Reserved(payer):
                    sponsor = scene.sponsor = payer
                case refusal:
                    return refusal
        account.signers = tuple(sorted((*others, Signer(key, self.signer_weight, sponsor)), key=_signer_order))
        name = "signer_created" if known is None else "signer_updated"
        if known is None or known.weight != self.signer_weight:
            scene.note(scene.source, name, weight=self.signer_weight, public_key=key, key="")
        return Code.SET_OPTIONS_SUCCESS

    def _note(self, scene: Scene) -> None:
        if self.home_domain is not None:
            scene.note(scene.source, "account_home_domain_updated", home_domain=self.home_domain.decode())
        if thresholds := self._thresholds():
            scene.note(scene.source, "account_thresholds_updated", **thresholds)
        changed = {f"{name}_flag": True for flag, name in _FLAGS.items() if (self.sets or 0) & flag}
        changed |= {f"{name}_flag": False for flag, name in _FLAGS.items() if (self.clears or 0) & flag}
        if changed:
            scene.note(scene.source, "account_flags_updated", **changed)
        if self.inflation_destination is not None:
            scene.note(scene.source, "account_inflation_destination_updated", inflation_destination=self.inflation_destination)

    def _thresholds(self) -> dict[str, int]:
        named = {
            "low_threshold": self.low_threshold,
            "med_threshold": self.medium_threshold,
            "high_threshold": self.high_threshold,
        }
        return {name: value for name, value in named.items() if value is not None}

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        shown: dict[str, object] = {**self._thresholds()}
        if self.inflation_destination is not None:
            shown["inflation_dest"] = self.inflation_destination
        for name, flags in (("set", self.sets), ("clear", self.clears)):
            if flags:
                known = [flag for flag in _FLAGS if flags & flag]
                shown |= {f"{name}_flags": known, f"{name}_flags_s": [_FLAGS[flag] for flag in known]}
        if self.master_weight is not None:
            shown["master_key_weight"] = self.master_weight
        if self.home_domain is not None:
            shown["home_domain"] = self.home_domain.decode(errors="replace")
        if self.signer_key is not None:
            shown |= {"signer_key": self.signer_key, "signer_weight": self.signer_weight}
        return shown

    def touched(self) -> Iterable[str]:
        """Name nobody."""
        return ()


def is_printable(text: bytes) -> bool:
    """Tell whether the chain takes a text: ASCII without control characters."""
    return all(0x20 <= each < 0x7F for each in text)  # noqa: PLR2004 - the printable part of ASCII


def _signer_order(signer: Signer) -> tuple[int, bytes]:
    taken_apart = parts(signer.key)
    return list(Kind).index(taken_apart.kind), taken_apart.key


def read_set_options(body: xdr.OperationBody) -> SetOptions:
    """Read a change of settings."""
    op = given(body.set_options_op)

    def number(value: xdr.Uint32 | None) -> int | None:
        return None if value is None else value.uint32

    return SetOptions(
        inflation_destination=None if op.inflation_dest is None else account_of(op.inflation_dest),
        clears=number(op.clear_flags),
        sets=number(op.set_flags),
        master_weight=number(op.master_weight),
        low_threshold=number(op.low_threshold),
        medium_threshold=number(op.med_threshold),
        high_threshold=number(op.high_threshold),
        home_domain=None if op.home_domain is None else op.home_domain.string32,
        signer_key=None if op.signer is None else signer_address(op.signer.key),
        signer_weight=0 if op.signer is None else op.signer.weight.uint32,
    )
