"""Before a new order is decided: look its parties up, and ask the ledger for those not known here, or known as not active.

Events about users take a moment to arrive. Money is safe all the same, because the ledger has the last word on it; but whoever
has just been made or activated must not be turned away for what escrow has not heard yet.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
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
from services.escrow.store.parties import Key
from services.escrow.store.rows import ACTIVE, PartyRow

ASK_SECONDS: Final = 2.0
QUIET_SECONDS: Final = 2.0
KEPT_MAX: Final = 4_096
"""More than the parties of all batches that are decided at once."""
_states: Final = msgspec.json.Decoder(UserStates)


class LedgerSilentError(Exception):
    """The ledger did not say who a party is.

    Not a TransientError on purpose: only the orders that need its answer wait in the retry queue, while everything else
    in their batch goes on.
    """


class PartyBook:
    """Looks parties up where they should be, asks where they must be, and keeps them for the decisions that follow."""

    def __init__(self) -> None:
        """Begin with nobody known."""
        self.known: dict[Key, PartyRow] = {}
        self._quiet_until = 0.0

    def looking_up(self, parts: Parts) -> Prepare:
        """Make the step that precedes each write transaction."""
        return partial(self._look_up, parts)

    async def _look_up(self, parts: Parts, works: Sequence[Work]) -> None:
        """Know the parties of a batch's new orders as well as their orders depend on it.

        Raises:
            LedgerSilentError: one of them must be asked for, and the ledger does not answer.
        """
        wanted = {key for work in works if isinstance(work.message, CreateOrder) for key in _parties_of(work)}
        if not wanted:
            return
        self._keep(wanted, await parties.find(parts.pool, sorted(wanted)))
        doubtful = {key for key in wanted if key not in self.known or self.known[key].status != ACTIVE}
        if doubtful:
            found = await self._ask(parts, doubtful)
            await parties.keep(parts.pool, found)
            self._keep(doubtful, await parties.find(parts.pool, sorted(doubtful)))

    def _keep(self, keys: set[Key], found: Sequence[PartyRow]) -> None:
        for key in keys:
            self.known.pop(key, None)
        self.known.update({(party.tenant, party.user_id): party for party in found})
        while len(self.known) > KEPT_MAX:
            del self.known[next(iter(self.known))]

    async def _ask(self, parts: Parts, doubtful: set[Key]) -> list[PartyRow]:
        time = asyncio.get_running_loop().time
        if time() < self._quiet_until:
            raise LedgerSilentError("the ledger did not answer a moment ago")
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for tenant, user_id in sorted(doubtful):
            by_tenant[tenant].append(user_id)
        found: list[PartyRow] = []
        try:
            async with asyncio.timeout(ASK_SECONDS):
                for tenant, user_ids in by_tenant.items():
                    reply = await parts.rpc.query("ledger", GetUsers(tuple(user_ids)), tenant=Tenant(tenant))
                    found += [PartyRow(tenant, user.user_id, user.status, user.sequence) for user in _read(reply.result)]
        except (TransientError, TimeoutError) as error:
            self._quiet_until = time() + QUIET_SECONDS
            raise LedgerSilentError(f"the ledger does not answer: {error!r}") from error
        return found


def _parties_of(work: Work) -> tuple[Key, Key]:
    message: CreateOrder = work.message
    return (work.envelope.tenant, message.buyer_id), (work.envelope.tenant, message.seller_id)


def _read(result: msgspec.Raw) -> tuple[UserState, ...]:
    return _states.decode(result).users
