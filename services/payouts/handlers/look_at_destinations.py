"""Before withdrawals are taken on: look whether their destinations accept the asset, and whether they ask for a memo.

It spares a user the wait for a payment that is bound to fail, and nothing depends on it: a Horizon that does not answer is not
waited for, and the chain has the last word.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.messaging.batch import Work
from services.payouts.clients.destinations import Destinations
from services.payouts.domain.destinations import Destination, Sight
from services.payouts.domain.strkey import account_address, read_account

PATIENCE_SECONDS: Final = 1.0
FRESH_SECONDS: Final = 60.0
"""How long an account that was seen able to receive is not looked at again."""
KEPT_MAX: Final = 4_096


class DestinationBook:
    """Keeps what was seen, for the decisions that follow."""

    def __init__(self, destinations: Destinations) -> None:
        """Look here."""
        self._destinations = destinations
        self._fresh_until: dict[Destination, float] = {}
        self.seen: dict[Destination, Sight] = {}
        """What was last seen of each; nothing of those that could not be looked at."""

    async def look_up(self, works: Sequence[Work]) -> None:
        """Look at the destination of each new withdrawal, unless it was seen to be able to receive a moment ago."""
        messages = [work.message for work in works if isinstance(work.message, CreateWithdrawal)]
        named = {each for message in messages if (each := destination_of(message)) is not None}
        now = asyncio.get_running_loop().time()
        wanted = sorted(one for one in named if self._fresh_until.get(one, 0.0) <= now)
        if not wanted:
            return
        found = await self._destinations.look(wanted, seconds=PATIENCE_SECONDS)
        while len(self.seen) > KEPT_MAX:
            self._forget(next(iter(self.seen)))
        for destination in wanted:
            self._forget(destination)
            sight = found.get(destination)
            if sight is not None:
                self.seen[destination] = sight
                if sight.can_receive:
                    self._fresh_until[destination] = now + FRESH_SECONDS

    def _forget(self, destination: Destination) -> None:
        self.seen.pop(destination, None)
        self._fresh_until.pop(destination, None)


def destination_of(message: CreateWithdrawal) -> Destination | None:
    """Name the account that would be paid; None when the address is none."""
    key = read_account(message.address)
    return None if key is None else Destination(account_address(key), message.currency)
