"""Brings what users' accounts hold to the treasury, one transaction an account; at any step this may be the last that is done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import new_id
from libs.common.messaging import faults
from services.payouts.clients.envelopes import Network, bump
from services.payouts.clients.holdings import Holding
from services.payouts.clients.horizon import Horizon, Tip
from services.payouts.clients.signer import Signer
from services.payouts.clients.transactions import build
from services.payouts.domain.slots import Told
from services.payouts.domain.sweeps import FOREIGN, LIFE_SECONDS, Sweep, is_worth_it, next_bid, outcome_of, payments
from services.payouts.domain.transactions import Transaction
from services.payouts.store.sweeps import Sweeps

_STUCK: Final = (Told.POOR, Told.REFUSED)
_log = structlog.get_logger("offerhub.sweeps")


@dataclass(frozen=True, slots=True)
class SweepAccounts:
    """Drives what is open; everything that must be known afterwards is in the table before it does anything outside."""

    sweeps: Sweeps
    horizon: Horizon
    signer: Signer
    network: Network
    clock: Clock
    over: int
    """Accounts that hold so many stroops of a currency, or more, are swept."""

    async def begin(self, holdings: Sequence[Holding], tip: Tip) -> None:
        """Open a sweep for each of these accounts that is worth it, and may be swept now."""
        drafts = [
            Sweep(
                id=new_id("swp"),
                account=each.account,
                sequence=each.sequence + 1,
                usd=each.spendable("USD"),
                xlm=each.spendable("XLM"),
                inner_hash="",
                hashes=frozenset(),
                envelope="",
                bump_hash="",
                bump_envelope="",
                bid=0,
                max_time=0,
            )
            for each in holdings
            if each.account != self.network.treasury
        ]
        worth = [each for each in drafts if is_worth_it(each.amounts.values(), self.over)]
        await self.sweeps.add([self._built(each, tip) for each in worth], self.clock.now())
        faults.reach("sweep.stored")

    async def step(self, held: Sweep, tip: Tip) -> None:
        """Do the next thing about an open one.

        Raises:
            TransientError: Horizon or the signer does not answer: nothing is decided, try again.
            SignerRefusedError: it will not sign what the rows say; a person must look.
        """
        look = await self.horizon.look(held.account)
        if look.sequence >= held.sequence:
            await self._find(held)
        elif tip.closed_at > held.max_time:
            await self.sweeps.rebuilt(self._built(held, tip), instead_of=held.inner_hash)
            faults.reach("sweep.stored")
        else:
            await self._submit(held if held.bump_hash else await self._wrapped(held))

    async def _wrapped(self, held: Sweep) -> Sweep:
        signed = await self.signer.sign("sweep", held.inner_hash, held.envelope)
        built = bump(self.network, signed, bid=held.bid)
        made = replace(held, bump_hash=built.hash, bump_envelope=built.xdr)
        await self.sweeps.wrapped(made)
        faults.reach("sweep.stored")
        return made

    async def _submit(self, held: Sweep) -> None:
        told = await self.horizon.submit(await self.signer.sign("sweep", held.bump_hash, held.bump_envelope))
        faults.reach("sweep.submitted")
        report = _log.error if told in _STUCK else _log.info
        report("sweep.submitted", sweep=held.id, account=held.account, told=told, **held.amounts)

    async def _find(self, held: Sweep) -> None:
        """Find what took the sequence number; until Horizon shows it nothing is decided."""
        applied = await self.horizon.taker_of(held.account, held.sequence, held.hashes)
        if applied is None:
            return
        outcome = outcome_of(held, applied)
        await self.sweeps.close(held, outcome, applied.hash)
        faults.reach("sweep.closed")
        if outcome:
            report = _log.error if outcome == FOREIGN else _log.warning
            report("sweep.failed", sweep=held.id, account=held.account, reason=outcome, transaction=applied.hash)

    def _built(self, draft: Sweep, tip: Tip) -> Sweep:
        dollar = self.network.asset_name("USD")
        wanted = Transaction(
            source=draft.account,
            sequence=draft.sequence,
            fee=0,
            max_time=tip.closed_at + LIFE_SECONDS,
            operations=payments(draft.account, self.network.treasury, dollar, usd=draft.usd, xlm=draft.xlm),
        )
        envelope = build(wanted, self.network.passphrase)
        return replace(
            draft,
            inner_hash=envelope.hash_hex(),
            envelope=envelope.to_xdr(),
            bump_hash="",
            bump_envelope="",
            bid=next_bid(draft.bid),
            max_time=wanted.max_time,
        )
