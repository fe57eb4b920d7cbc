"""The signer's part in second factors: it shows a key while it is being set up, and tells of which step a code is."""

from dataclasses import dataclass

import asyncpg

from libs.common.kernel.clock import Clock
from services.payouts.clients.key_provider import KeyProvider, KeyRef, Wrapped
from services.payouts.clients.sealing import context_of, unseal
from services.payouts.domain.signing import FactorKey, Match, Matched, Refused, Reveal
from services.payouts.domain.totp import derive_key, matching_step, shown_key
from services.payouts.store import secrets


@dataclass(frozen=True, slots=True)
class TellFactors:
    """Answers `Reveal` and `Match`; the key of a factor derives from the seed of its user's wallet, and is kept nowhere."""

    pool: asyncpg.Pool
    keys: KeyProvider
    clock: Clock

    async def reveal(self, asked: Reveal) -> FactorKey | Refused:
        """Show a key, as long as no code of it was ever taken."""
        key = await self._key(asked.tenant, asked.factor_id, state="PENDING")
        return _unknown(asked.factor_id) if key is None else FactorKey(shown_key(key))

    async def match(self, asked: Match) -> Matched | Refused:
        """Tell of which step a code is; whether that step was used before is not known here."""
        key = await self._key(asked.tenant, asked.factor_id, state=None)
        if key is None:
            return _unknown(asked.factor_id)
        return Matched(matching_step(key, asked.code, int(self.clock.now().timestamp())))

    async def _key(self, tenant: str, factor_id: str, *, state: str | None) -> bytes | None:
        secret = await secrets.of_factor(self.pool, tenant, factor_id, state)
        if secret is None:
            return None
        context = context_of(
            tenant=secret.tenant,
            wallet_id=secret.wallet_id,
            public_key=secret.public_key,
            network=secret.network,
            version=secret.version,
        )
        ref = KeyRef(secret.kek_id, secret.kek_version)
        [key] = await self.keys.unwrap([Wrapped(ref, secret.wrapped_key, context)])
        return derive_key(unseal(secret.sealed_seed, key, context), factor_id)


def _unknown(factor_id: str) -> Refused:
    return Refused("UNKNOWN_FACTOR", f"there is no factor {factor_id} for that")
