"""Second factors as clients see them."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from libs.common.contracts.queries.payouts import GetSecondFactor, RevealSecondFactor
from libs.common.contracts.replies.payouts import NewSecondFactor, SecondFactor
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.messaging.queries import Answers, Asked
from services.payouts.clients import qr
from services.payouts.clients.signer import SignerClient, SignerRefusedError
from services.payouts.domain.second_factors import Factor, factor_not_found
from services.payouts.domain.signing import Reveal
from services.payouts.domain.totp import key_uri
from services.payouts.store import second_factors


def factor_view(factor: Factor) -> SecondFactor:
    """Show what may always be shown."""
    return SecondFactor(factor.user_id, factor.state, wire_time(factor.created_at))


async def get_factor(pool: asyncpg.Pool, asked: Sequence[Asked[GetSecondFactor]]) -> Answers:
    """Answer with second factors."""
    known = await second_factors.by_user(pool, [(item.tenant, item.query.user_id) for item in asked])
    found = [(item.query.user_id, known.get((item.tenant, item.query.user_id))) for item in asked]
    return [factor_not_found(user_id) if factor is None else factor_view(factor) for user_id, factor in found]


@dataclass(frozen=True, slots=True)
class RevealFactors:
    """Answers with the key of a factor that is being set up; it is in this one transient answer, and nowhere else."""

    signer: SignerClient

    async def __call__(self, pool: asyncpg.Pool, asked: Sequence[Asked[RevealSecondFactor]]) -> Answers:
        """Ask the signer for each."""
        known = await second_factors.by_user(pool, [(item.tenant, item.query.user_id) for item in asked])
        return [await self._shown(item, known.get((item.tenant, item.query.user_id))) for item in asked]

    async def _shown(self, item: Asked[RevealSecondFactor], factor: Factor | None) -> NewSecondFactor | Refusal:
        user_id = item.query.user_id
        if factor is None:
            return factor_not_found(user_id)
        try:
            key = await self.signer.reveal(Reveal(item.tenant, item.query.factor_id))
        except SignerRefusedError:
            details = {"user_id": user_id, "current_state": factor.state}
            return Refusal("INVALID_STATE", "The key was shown before, and another is in its place or in use", details)
        uri = key_uri(key, user_id)
        return NewSecondFactor(user_id, factor.state, wire_time(factor.created_at), key, uri, await qr.draw(uri))
