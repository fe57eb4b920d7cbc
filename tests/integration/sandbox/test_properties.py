"""Whatever is submitted, in whatever order: no lumen and no dollar appears or vanishes, and nothing happens twice."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import (
    AccountMerge,
    Asset,
    BeginSponsoringFutureReserves,
    BumpSequence,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    CreateAccount,
    CreateClaimableBalance,
    EndSponsoringFutureReserves,
    ManageData,
    Operation,
    Payment,
    SetOptions,
    Signer,
    TransactionEnvelope,
)

from deploy.sandbox.horizon.chain.entries import Account, Claimable, Entry
from deploy.sandbox.horizon.history.rows import rows_of
from deploy.sandbox.horizon.history.store import Store
from deploy.sandbox.horizon.ledger.chain import Chain, Closed
from deploy.sandbox.horizon.ledger.header import decode_header
from tests.support.chain import XLM, Bench, address

PEOPLE: Final = ("issuer", "ann", "bob", "cem")
EVERYBODY: Final = (*PEOPLE, "dan")
USD: Final = Asset("USD", address("issuer"))
LATEST: Final = "0" * 72
"""Stands for the claimable balance that is there when the transaction is built."""

people = st.sampled_from(PEOPLE)
anybody = st.sampled_from(EVERYBODY)
assets = st.sampled_from([Asset.native(), USD])
amounts = st.sampled_from(["0.0000001", "1", "40", "60", "900"])


@st.composite
def operations(draw: st.DrawFn) -> list[Operation]:
    """One operation, or a few that belong together."""
    source = address(draw(people))
    other = address(draw(anybody))
    claimants = [Claimant(address(name)) for name in draw(st.lists(anybody, min_size=1, max_size=2, unique=True))]
    made = draw(
        st.sampled_from(
            [
                Payment(other, draw(assets), draw(amounts), source),
                Payment(other, draw(assets), draw(amounts), source),
                CreateAccount(other, draw(amounts), source),
                ChangeTrust(USD, draw(st.sampled_from(["0", "50", "922337203685.4775807"])), source),
                ManageData("name", draw(st.sampled_from([None, b"1", b"2"])), source),
                SetOptions(signer=Signer.ed25519_public_key(other, draw(st.sampled_from([0, 1]))), source=source),
                BumpSequence(draw(st.sampled_from([0, 2**40])), source),
                AccountMerge(other, source),
                CreateClaimableBalance(draw(assets), draw(amounts), claimants, source),
                ClaimClaimableBalance(LATEST, source=source),
            ]
        )
    )
    if draw(st.booleans()):
        sponsor = address(draw(people))
        return [BeginSponsoringFutureReserves(source, sponsor), made, EndSponsoringFutureReserves(source)]
    return [made]


groups = st.lists(operations(), min_size=2, max_size=3).map(lambda each: [operation for group in each for operation in group])


@dataclass
class Play:
    """A run on a chain, and a count of dollars that knows nothing of trustlines."""

    bench: Bench
    issued: int = 0
    applied: Counter[bytes] = field(default_factory=Counter)

    def submit(self, source: str, group: list[Operation]) -> TransactionEnvelope | None:
        """Submit one transaction signed by everybody it takes; None if there is nothing to claim."""
        aside = self.bench.claimables()
        for index, each in enumerate(group):
            if isinstance(each, ClaimClaimableBalance):
                if not aside:
                    return None
                group[index] = ClaimClaimableBalance(aside[-1].id, source=each.source)
        signers = {source} | {
            name for name in EVERYBODY for each in group if each.source and each.source.account_id == address(name)
        }
        envelope = self.bench.build(source, *group, signers=sorted(signers))
        self.bench.submit(envelope)
        return envelope

    def count(self, closed: Closed) -> None:
        """Follow what the issuer gave out and took in, operation by operation."""
        for applied in closed.applied:
            self.applied[applied.frame.hash] += 1
            if not applied.is_successful:
                continue
            for done in applied.done:
                for effect in done.effects:
                    if effect.party.account == address("issuer") and effect.details.get("asset_code") == "USD":
                        stroops = int(str(effect.details["amount"]).replace(".", ""))
                        self.issued += {"account_debited": stroops, "account_credited": -stroops}.get(effect.name, 0)

    def sequences(self) -> dict[str, int]:
        entries = self.bench.chain.state.entries_at(self.bench.chain.state.ledger)
        return {each.id: each.sequence for each in entries if isinstance(each, Account)}

    def entries(self) -> dict[str, Entry | None]:
        return {each.id: each for each in self.bench.chain.state.entries_at(self.bench.chain.state.ledger)}

    def restart(self, store: Store) -> None:
        """Go on from what was kept, which is what was there; the queue is new and remembers nothing."""
        header, kept = store.latest_header(), store.entries()
        assert header is not None
        assert kept == self.entries()
        before = self.bench.chain
        self.bench.chain = Chain(before.network_id, decode_header(header), kept, close_seconds=5)
        assert self.bench.chain.hash == before.hash
        assert self.bench.chain.close(self.bench.now).hash == before.close(self.bench.now).hash

    def check(self, before: dict[str, int]) -> None:
        """Look at the books, not at the history."""
        entries = list(self.bench.chain.state.entries_at(self.bench.chain.state.ledger))
        accounts = [each for each in entries if isinstance(each, Account)]
        aside = [each for each in entries if isinstance(each, Claimable)]
        assert self.bench.lumens() == 10**18
        dollars = sum(line.balance for each in accounts for line in each.lines.values())
        assert dollars + sum(each.amount for each in aside if each.asset != "native") == self.issued
        assert all(each.balance >= 0 for each in accounts)
        assert all(0 <= line.balance <= line.limit for each in accounts for line in each.lines.values())
        assert all(each.subentries == len(each.lines) + len(each.data) + len(each.signers) for each in accounts)
        assert all(each.sequence >= before.get(each.id, 0) for each in accounts)
        self.check_sponsors(accounts, aside)

    def check_sponsors(self, accounts: list[Account], aside: list[Claimable]) -> None:
        paying: Counter[str] = Counter({each.id: 0 for each in accounts})
        for each in accounts:
            payers = [part.sponsor for part in each.lines.values()] + [part.sponsor for part in each.data.values()]
            payers += [part.sponsor for part in each.signers] + [each.sponsor] * 2
            sponsors = [payer for payer in payers if payer is not None]
            paying.update(sponsors)
            assert each.sponsored == len(sponsors)
        for balance in aside:
            paying[balance.sponsor] += len(balance.claimants)
        assert {each.id: each.sponsoring for each in accounts} == dict(paying)


transactions_of_a_ledger = st.dictionaries(people, st.one_of(operations(), operations(), groups), min_size=1)


@settings(max_examples=settings().max_examples // 2)  # each writes a dozen ledgers to disk
@given(st.lists(transactions_of_a_ledger, min_size=4, max_size=8))
def test_the_books_are_always_in_order_and_kept(ledgers: list[dict[str, list[Operation]]]) -> None:
    with TemporaryDirectory() as directory, closing(Store(Path(directory))) as store:
        play = Play(Bench(), issued=120 * XLM)
        play.bench.accounts(*PEOPLE, lumens=100)
        play.bench.asset("ann", "bob", amount=60)
        store.keep(replace(rows_of(play.bench.close()), entries=play.entries()))
        sent: list[TransactionEnvelope] = []
        for transactions in ledgers:
            hash_before, before = play.bench.chain.hash, play.sequences()
            for source, group in transactions.items():
                if play.bench.exists(source):
                    envelope = play.submit(source, group)
                    sent += [] if envelope is None else [envelope]
            closed = play.bench.close()
            store.keep(rows_of(closed))
            assert closed.header.previous_hash == hash_before
            play.count(closed)
            play.check(before)
        play.restart(store)
        for envelope in sent:
            play.bench.submit(envelope)
        play.count(play.bench.close())
        assert set(play.applied.values()) <= {1}, "a replay was applied again"
        play.check({})
