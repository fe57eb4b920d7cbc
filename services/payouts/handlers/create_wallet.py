"""Give each new user a deposit wallet, whose key the signer makes and keeps before the wallet is written anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.contracts.envelope import Event
from libs.common.contracts.events.payouts import WalletCreated
from libs.common.kernel.ids import sibling_id
from libs.common.messaging.use_cases import Announce, Context, Decision
from libs.common.persistence.state import Needs, State
from services.payouts.domain.deposit_address import memo_of
from services.payouts.domain.networks import PROVIDER, Network
from services.payouts.handlers import note_user
from services.payouts.handlers.ask_for_accounts import OwnAccounts
from services.payouts.store.rows import PARTIES, WALLETS, WalletRow

Addresses = Mapping[tuple[str, str], str]
"""By (tenant, wallet id); a wallet's address never changes."""


@dataclass(frozen=True, slots=True)
class CreateWallet:
    """Obeys `user.created`; needs the addresses that the signer gave."""

    network: Network
    minted: Addresses
    shared: OwnAccounts | None = None
    """Where users share the treasury: the address book has asked for it."""

    def needs(self, message: Event, context: Context) -> Needs:
        """See whether the user is known and has a wallet."""
        key = PARTIES.key_of(note_user.party_of(message, context))
        return Needs(rows=((PARTIES, key), (WALLETS, key)))

    def decide(self, state: State, message: Event, context: Context) -> Decision:
        """Take the user in, and make the wallet unless there is one."""
        noted = note_user.decide(state, message, context)
        user_id = note_user.party_of(message, context).user_id
        if state.get(WALLETS, (context.tenant, user_id)) is not None:
            return noted
        made = self._made(user_id, context)
        data = self._told(made)
        event = Announce("wallet.created", f"wallet:{made.id}", made.sequence, data, user_ids=(user_id,))
        return Decision(rows=(*noted.rows, (WALLETS, made)), events=(event,))

    def _told(self, made: WalletRow) -> WalletCreated:
        about = made.user_id, made.id
        where = made.provider, made.network
        if self.shared is None:
            return WalletCreated(*about, made.public_key, *where)
        return WalletCreated(*about, self.shared.treasury, *where, memo=str(memo_of(made.tenant, made.id)))

    def _made(self, user_id: str, context: Context) -> WalletRow:
        wallet_id = wallet_id_of(user_id)
        return WalletRow(
            tenant=context.tenant,
            id=wallet_id,
            user_id=user_id,
            public_key=self.minted[context.tenant, wallet_id],
            provider=PROVIDER,
            network=self.network,
            sequence=1,
            created_at=context.now,
        )


def wallet_id_of(user_id: str) -> str:
    """Name a user's wallet."""
    return sibling_id("wal", user_id)
