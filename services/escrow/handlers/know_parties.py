"""Before a new order is decided: ask the ledger for parties that are not known here, or known as not active.

Events about users take a moment to arrive. Money is safe all the same, because the ledger has the last word on it; but whoever
has just been made or activated must not be turned away for what escrow has not heard yet.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from libs.common.contracts.commands.escrow import CreateOrder
from libs.common.contracts.queries.ledger import GetUsers
from libs.common.contracts.replies.ledger import UserState, UserStates
from libs.common.kernel.errors import TransientError
from libs.common.kernel.ids import Tenant
from libs.common.messaging.batch import Work
from libs.common.messaging.worker import Parts
from libs.common.messaging.write_path import Prepare
from services.escrow.store import parties
from services.escrow.store.rows import PartyRow

ASK_SECONDS: Final = 2.0
QUIET_SECONDS: Final = 2.0
_states: Final = msgspec.json.Decoder(UserStates)

Key = tuple[Tenant, str]


class LedgerSilentError(Exception):
    """The ledger did not say who a party is.

    Not a TransientError on purpose: only the orders that need its answer wait in the retry queue, while everything else
    in their batch goes on.
    """


class PartyBook:
    """Looks parties up where they should be, and asks where they must be."""

    def __init__(self, parts: Parts) -> None:
        """Ask with these connections."""
        self._parts = parts
        self._quiet_until = 0.0

    async def look_up(self, works: Sequence[Work]) -> None:
        """Bring the parties of a batch's new orders up to date in the table, as far as orders depend on it.

        Raises:
            LedgerSilentError: one of them must be asked for, and the ledger does not answer.
        """
        wanted = {key for work in works if isinstance(work.message, CreateOrder) for key in _parties_of(work)}
        if not wanted:
            return
        doubtful = wanted - await parties.active(self._parts.pool, sorted(wanted))
        if doubtful:
            await self._ask(doubtful)

    async def _ask(self, doubtful: set[Key]) -> None:
        time = asyncio.get_running_loop().time
        if time() < self._quiet_until:
            raise LedgerSilentError("the ledger did not answer a moment ago")
        by_tenant: dict[Tenant, list[str]] = defaultdict(list)
        for tenant, user_id in sorted(doubtful):
            by_tenant[tenant].append(user_id)
        found: list[PartyRow] = []
        try:
            async with asyncio.timeout(ASK_SECONDS):
                for tenant, user_ids in by_tenant.items():
                    reply = await self._parts.rpc.query("ledger", GetUsers(tuple(user_ids)), tenant=tenant)
                    found += [PartyRow(tenant, user.user_id, user.status, user.sequence) for user in _read(reply.result)]
        except (TransientError, TimeoutError) as error:
            self._quiet_until = time() + QUIET_SECONDS
            raise LedgerSilentError(f"the ledger does not answer: {error!r}") from error
        await parties.keep(self._parts.pool, found)


def know_parties(parts: Parts) -> Prepare:
    """Make the step that precedes each write transaction."""
    return PartyBook(parts).look_up


def _parties_of(work: Work) -> tuple[Key, Key]:
    message: CreateOrder = work.message
    return (work.envelope.tenant, message.buyer_id), (work.envelope.tenant, message.seller_id)


def _read(result: msgspec.Raw) -> tuple[UserState, ...]:
    return _states.decode(result).users
