"""Before codes of second factors are judged: the signer tells of which step each of them is."""

from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg

from libs.common.contracts.commands.payouts import ConfirmSecondFactor, CreateWithdrawal
from libs.common.messaging.batch import Work
from libs.common.messaging.worker import Parts
from services.payouts.clients.signer import SignerClient, SignerRefusedError
from services.payouts.domain.signing import Match
from services.payouts.store import second_factors

KEPT_MAX: Final = 1_000
Asked = tuple[str, str, str]
"""Tenant, factor and code."""


class CodeBook:
    """Keeps what the signer answered, for the decisions that follow."""

    def __init__(self, signer: SignerClient) -> None:
        """Ask this signer."""
        self._signer = signer
        self.steps: dict[Asked, int] = {}

    async def look_up(self, parts: Parts, works: Sequence[Work]) -> None:
        """Know the step of each code that is shown.

        Raises:
            SignerUnavailableError: the signer does not answer; the batch waits and asks again.
        """
        shown = {(work.envelope.tenant, work.message.user_id, code) for work in works if (code := _code_of(work)) is not None}
        if not shown:
            return
        while len(self.steps) > KEPT_MAX:
            del self.steps[next(iter(self.steps))]
        factors = await _factors(parts.pool, shown)
        for tenant, user_id, code in sorted(shown):
            factor_id = factors.get((tenant, user_id))
            if factor_id is not None:
                self.steps[tenant, factor_id, code] = await self._step(tenant, factor_id, code)

    async def _step(self, tenant: str, factor_id: str, code: str) -> int:
        try:
            return await self._signer.match(Match(tenant, factor_id, code))
        except SignerRefusedError:  # it was removed a moment ago
            return 0


def _code_of(work: Work) -> str | None:
    if isinstance(work.message, ConfirmSecondFactor):
        return work.message.code
    return work.message.second_factor_code if isinstance(work.message, CreateWithdrawal) else None


async def _factors(pool: asyncpg.Pool, shown: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], str]:
    found = await second_factors.by_user(pool, sorted({(tenant, user_id) for tenant, user_id, _ in shown}))
    return {key: factor.id for key, factor in found.items()}
