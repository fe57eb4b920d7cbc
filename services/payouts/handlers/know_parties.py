"""Before withdrawals are taken on: ask the ledger for users that are not known here as active.

Events about users take a moment to arrive. When the ledger is silent nobody is refused for it: the debit asks the ledger again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.contracts.queries.ledger import GetUsers
from libs.common.contracts.replies.ledger import UserStates
from libs.common.kernel.errors import TransientError
from libs.common.kernel.ids import Tenant
from libs.common.messaging.batch import Work
from libs.common.messaging.worker import Parts
from services.payouts.store import reads

ASK_SECONDS: Final = 1.0
_states: Final = msgspec.json.Decoder(UserStates)

Key = tuple[str, str]


class PartyBook:
    """Keeps who may not withdraw, for the decisions that follow."""

    def __init__(self) -> None:
        """Know nobody yet."""
        self.inactive: dict[Key, str] = {}
        """By (tenant, user id): the status of who is not active; empty for nobody."""

    async def look_up(self, parts: Parts, works: Sequence[Work]) -> None:
        """Know of each new withdrawal's user, as far as they are not known as active."""
        wanted = {(work.envelope.tenant, work.message.user_id) for work in works if isinstance(work.message, CreateWithdrawal)}
        for key in wanted:
            self.inactive.pop(key, None)
        doubtful = wanted - await reads.active_parties(parts.pool, sorted(wanted)) if wanted else wanted
        by_tenant: dict[Tenant, list[str]] = defaultdict(list)
        for tenant, user_id in sorted(doubtful):
            by_tenant[tenant].append(user_id)
        for tenant, user_ids in by_tenant.items():
            await self._ask(parts, tenant, user_ids)

    async def _ask(self, parts: Parts, tenant: Tenant, user_ids: Sequence[str]) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                reply = await parts.rpc.query("ledger", GetUsers(tuple(user_ids)), tenant=tenant)
        except (TransientError, TimeoutError):
            return
        known = {user.user_id: user.status for user in _states.decode(reply.result).users}
        self.inactive |= {(tenant, each): known.get(each, "") for each in user_ids if known.get(each) != "ACTIVE"}
