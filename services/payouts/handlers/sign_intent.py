"""Sign what an intent asks for, and nothing else. All that is asked, signed or refused, is logged before it is answered."""

from dataclasses import dataclass, field
from typing import Final

import asyncpg
import stellar_sdk
import structlog

from libs.common.kernel.clock import Clock
from services.payouts.clients.key_provider import KeyProvider, KeyRef, Wrapped
from services.payouts.clients.own_keys import OwnKeys
from services.payouts.clients.sealing import context_of, unseal
from services.payouts.clients.transactions import UnreadableError, read
from services.payouts.domain.signing import Refused, Sign, Signed
from services.payouts.domain.transactions import Transaction, differences
from services.payouts.store import secrets, signatures
from services.payouts.store.signable import RULES, Place
from services.payouts.store.signatures import Entry

_REASON_MAX: Final = 500
_log = structlog.get_logger("offerhub.signer")


@dataclass(frozen=True, slots=True)
class SignIntent:
    """Answers `Sign`; holds the platform's own seeds, and opens a wallet's for the moment of a signature."""

    pool: asyncpg.Pool
    keys: KeyProvider
    own: OwnKeys = field(repr=False)
    place: Place
    passphrase: str
    clock: Clock

    async def __call__(self, asked: Sign) -> Signed | Refused:
        """Check, sign and log."""
        try:
            envelope, transaction = read(asked.envelope, self.passphrase)
        except UnreadableError as error:
            return await self._refuse(asked, "", Refused("UNREADABLE", str(error)))
        digest = envelope.hash()
        refusal = await self._refusal(asked, transaction, digest.hex())
        seeds = {} if refusal else await self._seeds(transaction.signers())
        missing = [signer for signer in transaction.signers() if signer not in seeds]
        if refusal is not None or missing:
            return await self._refuse(
                asked, digest.hex(), refusal or Refused("UNKNOWN_SIGNER", f"there is no key for {missing[0]}")
            )
        for signer in transaction.signers():
            envelope.signatures.append(stellar_sdk.Keypair.from_raw_ed25519_seed(seeds[signer]).sign_decorated(digest))
        await self._note(asked, digest.hex(), "signed", "")
        return Signed(envelope.to_xdr())

    async def _refusal(self, asked: Sign, transaction: Transaction, transaction_hash: str) -> Refused | None:
        expected = await RULES[asked.kind](self.pool, asked.intent_id, self.place)
        if expected is None:
            return Refused("UNKNOWN_INTENT", f"there is no open intent {asked.intent_id} of kind {asked.kind}")
        return differences(expected, transaction, transaction_hash)

    async def _seeds(self, addresses: list[str]) -> dict[str, bytes]:
        found = {address: self.own.seeds[address] for address in addresses if address in self.own.seeds}
        wallets = await secrets.by_address(self.pool, [each for each in addresses if each not in found], self.place.network)
        contexts = {
            address: context_of(
                tenant=secret.tenant,
                wallet_id=secret.wallet_id,
                public_key=address,
                network=secret.network,
                version=secret.version,
            )
            for address, secret in wallets.items()
        }
        keys = await self.keys.unwrap(
            [
                Wrapped(KeyRef(secret.kek_id, secret.kek_version), secret.wrapped_key, contexts[address])
                for address, secret in wallets.items()
            ]
        )
        for (address, secret), key in zip(wallets.items(), keys, strict=True):
            found[address] = unseal(secret.sealed_seed, key, contexts[address])
        return found

    async def _refuse(self, asked: Sign, transaction_hash: str, refusal: Refused) -> Refused:
        reason = refusal.reason[:_REASON_MAX]
        _log.error("signer.refused", kind=asked.kind, intent_id=asked.intent_id, code=refusal.code, reason=reason)
        await self._note(asked, transaction_hash, refusal.code, reason)
        return Refused(refusal.code, reason)

    async def _note(self, asked: Sign, transaction_hash: str, outcome: str, reason: str) -> None:
        entry = Entry(asked.kind, asked.intent_id, transaction_hash, outcome, reason, self.clock.now())
        await signatures.append(self.pool, entry)
