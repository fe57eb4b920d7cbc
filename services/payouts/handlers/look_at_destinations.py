"""Before withdrawals are taken on: look whether their destinations accept the asset.

It spares a user the wait for a payment that is bound to fail, and nothing depends on it: a Horizon that does not answer is not
waited for, and the chain has the last word.
"""

from collections.abc import Sequence
from typing import Final

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.messaging.batch import Work
from services.payouts.clients.destinations import Destinations
from services.payouts.domain.destinations import Destination
from services.payouts.domain.strkey import account_address, read_account

PATIENCE_SECONDS: Final = 2.0


class DestinationBook:
    """Keeps what was seen, for the decisions that follow."""

    def __init__(self, destinations: Destinations) -> None:
        """Look here."""
        self._destinations = destinations
        self.unable: set[Destination] = set()
        """Those that were last seen without a trustline."""

    async def look_up(self, works: Sequence[Work]) -> None:
        """Look at the destination of each new withdrawal."""
        messages = [work.message for work in works if isinstance(work.message, CreateWithdrawal)]
        wanted = sorted({found for message in messages if (found := destination_of(message)) is not None})
        if not wanted:
            return
        unable = await self._destinations.unable(wanted, seconds=PATIENCE_SECONDS)
        self.unable.difference_update(wanted)
        self.unable.update(unable)


def destination_of(message: CreateWithdrawal) -> Destination | None:
    """Name the account that would be paid; None when the address is none."""
    key = read_account(message.address)
    return None if key is None else Destination(account_address(key), message.currency)
