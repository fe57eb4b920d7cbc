"""Which signatures of a transaction count for which account, in the order and with the weights the network counts them."""

import hashlib
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from stellar_sdk import Keypair, StrKey, xdr
from stellar_sdk.exceptions import BadSignatureError
from stellar_sdk.signer_key import SignerKey

from deploy.sandbox.horizon.chain.entries import Account, Signer
from deploy.sandbox.horizon.chain.values import given, public_key

WEIGHT_MAX: Final = 255
_HINT: Final = 4
_VERIFIED: Final = 65_536


class Kind(Enum):
    """How a signer shows that it agrees."""

    KEY = "G"
    TRANSACTION = "T"
    PREIMAGE = "X"
    PAYLOAD = "P"


class SignerParts(NamedTuple):
    """A signer's key taken apart; `payload` is what a payload signer signs instead of the transaction."""

    kind: Kind
    key: bytes
    payload: bytes = b""


@lru_cache(maxsize=_VERIFIED)
def parts(signer: str) -> SignerParts:
    """Take a signer's address apart."""
    kind = Kind(signer[0])
    if kind is Kind.KEY:
        return SignerParts(kind, public_key(signer))
    if kind is Kind.TRANSACTION:
        return SignerParts(kind, StrKey.decode_pre_auth_tx(signer))
    if kind is Kind.PREIMAGE:
        return SignerParts(kind, StrKey.decode_sha256_hash(signer))
    arm = given(SignerKey.from_encoded_signer_key(signer).to_xdr_object().ed25519_signed_payload)
    return SignerParts(kind, arm.ed25519.uint256, arm.payload)


def signer_address(key: xdr.SignerKey) -> str:
    """Print a signer's key."""
    return SignerKey.from_xdr_object(key).encoded_signer_key


class Signatures:
    """The signatures of one transaction; remembers which were needed."""

    def __init__(self, contents_hash: bytes, signatures: Sequence[xdr.DecoratedSignature]) -> None:
        """Begin with none used."""
        self._hash = contents_hash
        self._signatures = [(each.hint.signature_hint, each.signature.signature) for each in signatures]
        self._used = [False] * len(self._signatures)

    @property
    def all_used(self) -> bool:
        """Whether no signature is superfluous."""
        return all(self._used)

    def weigh_for(self, account: Account, needed: int) -> bool:
        """Tell whether an account's signers reach a threshold; a threshold of 0 still needs one signature."""
        master = [Signer(account.id, account.master_weight)] if account.master_weight else []
        return self.weigh([*master, *account.signers], needed)

    def weigh(self, signers: Iterable[Signer], needed: int) -> bool:
        """Tell whether some signers reach a threshold, using no more signatures than that takes."""
        by_kind: dict[Kind, list[tuple[SignerParts, int]]] = {kind: [] for kind in Kind}
        for signer in signers:
            taken_apart = parts(signer.key)
            by_kind[taken_apart.kind].append((taken_apart, min(signer.weight, WEIGHT_MAX)))
        total = 0
        for signed, weight in by_kind[Kind.TRANSACTION]:
            if signed.key == self._hash:
                total += weight
                if total >= needed:
                    return True
        for kind in (Kind.PREIMAGE, Kind.KEY, Kind.PAYLOAD):
            waiting = by_kind[kind]
            for index, (hint, signature) in enumerate(self._signatures):
                match = next((each for each in waiting if self._agrees(each[0], hint, signature)), None)
                if match is None:
                    continue
                self._used[index] = True
                total += match[1]
                if total >= needed:
                    return True
                waiting.remove(match)
        return False

    def _agrees(self, signer: SignerParts, hint: bytes, signature: bytes) -> bool:
        tail = signer.key[-_HINT:]
        if signer.kind is Kind.PREIMAGE:
            return hint == tail and hashlib.sha256(signature).digest() == signer.key
        if signer.kind is Kind.KEY:
            return hint == tail and verify(signer.key, signature, self._hash)
        mask = signer.payload[-_HINT:].ljust(_HINT, b"\0")
        mixed = bytes(one ^ other for one, other in zip(tail, mask, strict=True))
        return hint == mixed and verify(signer.key, signature, signer.payload)


@lru_cache(maxsize=_VERIFIED)
def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether an ed25519 signature is good; remembered, since it is asked at submission and at application."""
    try:
        _keypair(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


@lru_cache(maxsize=_VERIFIED)
def _keypair(key: bytes) -> Keypair:
    return Keypair.from_raw_ed25519_public_key(key)
