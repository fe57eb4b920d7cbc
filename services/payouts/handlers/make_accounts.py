"""Makes accounts on the chain, a transaction at a time; at any step this may be the last that the process does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import new_id
from libs.common.messaging import faults
from services.payouts.clients.horizon import Horizon, Tip
from services.payouts.clients.signer import Signer
from services.payouts.clients.transactions import build
from services.payouts.domain.account_making import LIFE_SECONDS, WALLETS_MAX, Creation, Wallet, ended, fee_of, reason_of
from services.payouts.domain.signing import Accounts
from services.payouts.domain.transactions import Operation, Transaction, creation, own_accounts
from services.payouts.store.creations import Creations

_log = structlog.get_logger("offerhub.accounts")


@dataclass(frozen=True, slots=True)
class Maker:
    """Drives what is open; everything that must be known afterwards is in the tables before it does anything outside."""

    creations: Creations
    horizon: Horizon
    signer: Signer
    accounts: Accounts
    asset: str
    passphrase: str
    clock: Clock

    async def begin(
        self, *, wallets: Sequence[Wallet] = (), own: Sequence[str] = (), existing: frozenset[str] = frozenset()
    ) -> None:
        """Open a transaction for these, unless one is open.

        Raises:
            TransientError: Horizon does not answer.
        """
        look, tip = await self.horizon.look(self.accounts.sponsor), await self.horizon.tip()
        draft = Creation(
            id=new_id("cre"),
            source=self.accounts.sponsor,
            sequence=look.sequence + 1,
            wallets=tuple(wallets),
            own_accounts=tuple(own),
            existing=existing | {wallet.address for wallet in wallets if wallet.is_there},
            transaction_hash="",
            hashes=frozenset(),
            envelope="",
            fee_max=0,
            max_time=0,
        )
        await self.creations.add(self._built(draft, tip), self.clock.now())
        faults.reach("creation.stored")

    async def begin_next(self) -> bool:
        """Open a transaction for the wallets that have waited longest; False when none waits."""
        waiting = await self.creations.waiting(WALLETS_MAX)
        if waiting:
            await self.begin(wallets=waiting)
        return bool(waiting)

    async def step(self, held: Creation, tip: Tip) -> str | None:
        """Do the next thing about what is open; return how it ended, empty when well, and None when it has not ended.

        Raises:
            TransientError: Horizon or the signer does not answer: nothing is decided, try again.
            SignerRefusedError: it will not sign what the rows say; a person must look.
        """
        look = await self.horizon.look(self.accounts.sponsor)
        if look.sequence >= held.sequence:
            return await self._find(held)
        if tip.closed_at > held.max_time:
            await self.creations.rebuilt(self._built(held, tip), instead_of=held.transaction_hash)
            faults.reach("creation.stored")
            return None
        signed = await self.signer.sign(held.kind, held.id, held.envelope)
        told = await self.horizon.submit(signed)
        faults.reach("creation.submitted")
        _log.info("accounts.submitted", creation=held.id, wallets=len(held.wallets), told=told)
        return None

    def _built(self, draft: Creation, tip: Tip) -> Creation:
        operations = self._operations(draft)
        wanted = Transaction(
            source=draft.source,
            sequence=draft.sequence,
            fee=fee_of(len(operations), draft.fee_max),
            max_time=tip.closed_at + LIFE_SECONDS,
            operations=operations,
        )
        envelope = build(wanted, self.passphrase)
        return replace(
            draft,
            transaction_hash=envelope.hash_hex(),
            envelope=envelope.to_xdr(),
            fee_max=wanted.fee,
            max_time=wanted.max_time,
        )

    def _operations(self, draft: Creation) -> tuple[Operation, ...]:
        if draft.own_accounts:
            return own_accounts(draft.own_accounts, self.accounts, self.asset, existing=draft.existing)
        addresses = [wallet.address for wallet in draft.wallets]
        return creation(addresses, sponsor=self.accounts.sponsor, asset=self.asset, existing=draft.existing)

    async def _find(self, held: Creation) -> str | None:
        applied = await self.horizon.taker_of(held.source, held.sequence, held.hashes)
        if applied is None:
            return None
        is_ours = applied.inner_hash in held.hashes
        stands = ended(held, applied)
        outcome = "" if is_ours and applied.is_successful else reason_of(applied) if is_ours else "another took its number"
        await self.creations.close(held, outcome, stands, is_done=not outcome)
        faults.reach("creation.closed")
        if outcome:
            _log.warning("accounts.not_made", creation=held.id, reason=outcome, wallets_known_better=len(stands))
        return "" if stands else outcome
