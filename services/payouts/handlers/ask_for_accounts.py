"""Which accounts are the platform's own: the signer is asked once."""

from collections.abc import Sequence

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.messaging.batch import Work
from services.payouts.clients.signer import Signer


class OwnAccounts:
    """Keeps what the signer answered, for the decisions that follow: the accounts stay the same while a process runs."""

    def __init__(self, signer: Signer) -> None:
        """Ask this signer."""
        self._signer = signer
        self.addresses: set[str] = set()
        self.treasury = ""
        """Who holds the money; empty before it was asked for."""

    async def look_up(self, works: Sequence[Work]) -> None:
        """Know the accounts before the first withdrawal is decided on.

        Raises:
            SignerUnavailableError: the signer does not answer; the batch waits and asks again.
        """
        if any(isinstance(work.message, CreateWithdrawal) for work in works):
            await self.know()

    async def know(self) -> None:
        """Ask, unless they are known.

        Raises:
            SignerUnavailableError: the signer does not answer; ask again.
        """
        if self.addresses:
            return
        told = await self._signer.accounts()
        self.treasury = told.treasury
        self.addresses.update((told.sponsor, told.treasury, *told.channels))
