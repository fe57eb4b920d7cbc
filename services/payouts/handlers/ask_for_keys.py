"""Before new users are taken in: ask the signer for the addresses of their wallets.

While the signer is away the batch waits, and with it all that payouts is told: nothing is lost, and no wallet is without a key.
"""

from collections.abc import Sequence
from typing import Final

from libs.common.messaging.batch import Work
from services.payouts.clients.signer import SignerClient
from services.payouts.domain.signing import WalletName
from services.payouts.handlers import note_user
from services.payouts.handlers.ask_for_accounts import OwnAccounts
from services.payouts.handlers.create_wallet import wallet_id_of

KEPT_MAX: Final = 4_096
"""Some batches' worth: what is forgotten is asked for again, with the same answer."""


class AddressBook:
    """Keeps what the signer answered, for the decisions that follow."""

    def __init__(self, signer: SignerClient, network: str, *, shared: OwnAccounts | None = None) -> None:
        """Ask this signer; `shared` are the platform's accounts where users have none of their own."""
        self._signer = signer
        self._network = network
        self._shared = shared
        self.addresses: dict[tuple[str, str], str] = {}

    async def look_up(self, works: Sequence[Work]) -> None:
        """Know the address of each new user's wallet.

        Raises:
            SignerUnavailableError: the signer does not answer; the batch waits and asks again.
        """
        wanted = {
            WalletName(work.envelope.tenant, wallet_id_of(note_user.user_of(work.message)))
            for work in works
            if work.envelope.type == "user.created"
        }
        names = tuple(sorted(name for name in wanted if (name.tenant, name.wallet_id) not in self.addresses))
        if not names:
            return
        if self._shared is not None:
            await self._shared.know()
        while len(self.addresses) > KEPT_MAX:
            del self.addresses[next(iter(self.addresses))]
        for name, address in zip(names, await self._signer.mint(self._network, names), strict=True):
            self.addresses[name.tenant, name.wallet_id] = address
