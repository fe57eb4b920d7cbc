"""Who pays reserves: promised for a transaction, kept per entry, handed over and taken back."""

import pytest
from stellar_sdk import (
    AccountMerge,
    Asset,
    BeginSponsoringFutureReserves,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    CreateAccount,
    CreateClaimableBalance,
    EndSponsoringFutureReserves,
    ManageData,
    Operation,
    Payment,
    RevokeSponsorship,
    SetOptions,
    Signer,
    SignerKey,
)

from tests.support.chain import XLM, Bench, address

USD = Asset("USD", address("issuer"))


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.accounts("rich", "other", "issuer", "ann")
    return made


def sponsored(sponsor: str, whom: str, *operations: Operation) -> list[Operation]:
    """Operations of `whom` for which `sponsor` pays; both sign."""
    begin = BeginSponsoringFutureReserves(address(whom), address(sponsor))
    return [begin, *operations, EndSponsoringFutureReserves(address(whom))]


def revoke_signer(owner: str, signer: str) -> RevokeSponsorship:
    revoke: RevokeSponsorship = RevokeSponsorship.revoke_signer_sponsorship(
        address(owner), SignerKey.ed25519_public_key(address(signer))
    )
    return revoke


def counts(bench: Bench, name: str) -> tuple[int, int, int]:
    account = bench.account(name)
    return account.subentries, account.sponsoring, account.sponsored


def test_a_sponsored_account_needs_no_lumens_and_holds_dollars(bench: Bench) -> None:
    make = CreateAccount(address("new"), "0", address("rich"))
    trust = ChangeTrust(USD, source=address("new"))
    bench.ok(bench.build("rich", *sponsored("rich", "new", make, trust), signers=["rich", "new"]))
    assert bench.account("new").balance == 0
    assert (counts(bench, "rich"), counts(bench, "new")) == ((0, 3, 0), (1, 0, 3))
    bench.ok(bench.build("issuer", Payment(address("new"), USD, "5")))
    bench.ok(bench.bump(bench.build("new", Payment(address("issuer"), USD, "5"), fee=0), "rich", 2_000))
    assert bench.lumens() == 10**18


def test_every_kind_of_entry_is_sponsored_and_given_back(bench: Bench) -> None:
    ann = address("ann")
    entries = [
        ChangeTrust(USD, source=ann),
        ManageData("name", b"value", ann),
        SetOptions(signer=Signer.ed25519_public_key(address("other"), 1), source=ann),
    ]
    bench.ok(bench.build("rich", *sponsored("rich", "ann", *entries), signers=["rich", "ann"]))
    assert (counts(bench, "rich"), counts(bench, "ann")) == ((0, 3, 0), (3, 0, 3))
    closing = [
        ChangeTrust(USD, "0"),
        ManageData("name", None),
        SetOptions(signer=Signer.ed25519_public_key(address("other"), 0)),
    ]
    bench.ok(bench.build("ann", *closing))
    assert (counts(bench, "rich"), counts(bench, "ann")) == ((0, 0, 0), (0, 0, 0))


def test_a_claimable_balance_is_sponsored_by_its_maker_or_by_another(bench: Bench) -> None:
    aside = CreateClaimableBalance(Asset.native(), "1", [Claimant(address("other"))], address("ann"))
    bench.ok(bench.build("ann", aside))
    bench.ok(bench.build("rich", *sponsored("rich", "ann", aside), signers=["rich", "ann"]))
    assert (counts(bench, "ann"), counts(bench, "rich")) == ((0, 1, 0), (0, 1, 0))
    for balance in bench.claimables():
        bench.ok(bench.build("other", ClaimClaimableBalance(balance.id)))
    assert (counts(bench, "ann"), counts(bench, "rich")) == ((0, 0, 0), (0, 0, 0))


def test_a_promise_must_be_ended_in_its_transaction(bench: Bench) -> None:
    told = bench.codes(bench.build("rich", BeginSponsoringFutureReserves(address("ann"))))
    assert told == {"transaction": "tx_bad_sponsorship"}


PROMISES = [
    ([("rich", "rich")], ["op_malformed"]),
    ([("rich", "ann"), ("other", "ann")], ["op_success", "op_already_sponsored"]),
    ([("rich", "ann"), ("ann", "other")], ["op_success", "op_recursive"]),
    ([("rich", "ann"), ("other", "rich")], ["op_success", "op_recursive"]),
]


@pytest.mark.parametrize(("promises", "told"), PROMISES)
def test_promises_are_not_stacked(bench: Bench, promises: list[tuple[str, str]], told: list[str]) -> None:
    operations = [BeginSponsoringFutureReserves(address(whom), address(sponsor)) for sponsor, whom in promises]
    signers = sorted({sponsor for sponsor, _ in promises} | {"rich"})
    assert bench.operation_codes("rich", *operations, signers=signers) == told


def test_nobody_ends_what_was_not_begun(bench: Bench) -> None:
    assert bench.operation_codes("ann", EndSponsoringFutureReserves()) == ["op_not_sponsored"]


def test_a_sponsor_must_have_the_reserve(bench: Bench) -> None:
    bench.accounts("lean", lumens=1)
    bench.ok(bench.build("rich", Payment(address("lean"), Asset.native(), "0.4")))
    operations = sponsored("lean", "ann", ChangeTrust(USD, source=address("ann")))
    told = bench.operation_codes("rich", *operations, signers=["rich", "lean", "ann"])
    assert told == ["op_success", "op_low_reserve", "op_success"]


def test_sponsors_do_not_merge_and_the_sponsored_give_back_when_they_do(bench: Bench) -> None:
    make = CreateAccount(address("new"), "0", address("rich"))
    bench.ok(bench.build("rich", *sponsored("rich", "new", make), signers=["rich", "new"]))
    assert bench.operation_codes("rich", AccountMerge(address("ann"))) == ["op_is_sponsor"]
    bench.ok(bench.bump(bench.build("new", AccountMerge(address("ann")), fee=0), "rich", 2_000))
    assert counts(bench, "rich") == (0, 0, 0)


class TestRevoking:
    @pytest.fixture
    def bench(self, bench: Bench) -> Bench:
        """Rich pays for Ann's dollar line."""
        bench.ok(bench.build("rich", *sponsored("rich", "ann", ChangeTrust(USD, source=address("ann"))), signers=["rich", "ann"]))
        return bench

    def revoke(self, source: str | None = None) -> RevokeSponsorship:
        payer = None if source is None else address(source)
        revoke: RevokeSponsorship = RevokeSponsorship.revoke_trustline_sponsorship(address("ann"), USD, source=payer)
        return revoke

    def test_the_owner_pays_from_then_on(self, bench: Bench) -> None:
        bench.ok(bench.build("rich", self.revoke()))
        assert (counts(bench, "rich"), counts(bench, "ann")) == ((0, 0, 0), (1, 0, 0))

    def test_another_takes_it_over(self, bench: Bench) -> None:
        operations = sponsored("other", "rich", self.revoke("rich"))
        bench.ok(bench.build("other", *operations, signers=["other", "rich"]))
        assert (counts(bench, "rich"), counts(bench, "other"), counts(bench, "ann")) == ((0, 0, 0), (0, 1, 0), (1, 0, 1))

    def test_the_owner_hands_over_what_it_pays_itself(self, bench: Bench) -> None:
        bench.ok(bench.build("rich", self.revoke()))
        operations = sponsored("other", "ann", self.revoke("ann"))
        bench.ok(bench.build("other", *operations, signers=["other", "ann"]))
        assert (counts(bench, "other"), counts(bench, "ann")) == ((0, 1, 0), (1, 0, 1))

    def test_only_who_pays_may(self, bench: Bench) -> None:
        assert bench.operation_codes("ann", self.revoke()) == ["op_not_sponsor"]
        assert bench.operation_codes("other", self.revoke()) == ["op_not_sponsor"]

    def test_an_owner_without_the_reserve_keeps_its_sponsor(self, bench: Bench) -> None:
        bench.ok(bench.build("ann", Payment(address("rich"), Asset.native(), "998.9999")))
        assert bench.operation_codes("rich", self.revoke()) == ["op_low_reserve"]

    def test_what_is_not_there_has_no_sponsor(self, bench: Bench) -> None:
        nothing = [
            RevokeSponsorship.revoke_account_sponsorship(address("nobody")),
            RevokeSponsorship.revoke_trustline_sponsorship(address("ann"), Asset("EUR", address("issuer"))),
            RevokeSponsorship.revoke_data_sponsorship(address("ann"), "nothing"),
            RevokeSponsorship.revoke_claimable_balance_sponsorship("00000000" + "ab" * 32),
            RevokeSponsorship.revoke_offer_sponsorship(address("ann"), 1),
            revoke_signer("ann", "other"),
        ]
        assert bench.operation_codes("rich", *nothing) == ["op_does_not_exist"] * len(nothing)

    def test_lumens_have_no_line(self, bench: Bench) -> None:
        revoke = RevokeSponsorship.revoke_trustline_sponsorship(address("ann"), Asset.native())
        assert bench.operation_codes("rich", revoke) == ["op_malformed"]

    def test_a_claimable_balance_only_changes_hands(self, bench: Bench) -> None:
        bench.ok(bench.build("ann", CreateClaimableBalance(Asset.native(), "1", [Claimant(address("other"))])))
        (aside,) = bench.claimables()
        revoke = RevokeSponsorship.revoke_claimable_balance_sponsorship(aside.id, source=address("ann"))
        assert bench.operation_codes("ann", revoke) == ["op_only_transferable"]
        bench.ok(bench.build("rich", *sponsored("rich", "ann", revoke), signers=["rich", "ann"]))
        assert [each.sponsor for each in bench.claimables()] == [address("rich")]
        assert (counts(bench, "ann")[1], counts(bench, "rich")[1]) == (0, 2)

    def test_an_account_a_data_entry_and_a_signer_too(self, bench: Bench) -> None:
        ann = address("ann")
        entries = [ManageData("name", b"v", ann), SetOptions(signer=Signer.ed25519_public_key(address("other"), 1), source=ann)]
        bench.ok(bench.build("rich", *sponsored("rich", "ann", *entries), signers=["rich", "ann"]))
        account = RevokeSponsorship.revoke_account_sponsorship(ann, source=ann)
        bench.ok(bench.build("rich", *sponsored("rich", "ann", account), signers=["rich", "ann"]))
        assert (counts(bench, "rich"), counts(bench, "ann")) == ((0, 5, 0), (3, 0, 5))
        given_back = [
            RevokeSponsorship.revoke_account_sponsorship(ann),
            RevokeSponsorship.revoke_data_sponsorship(ann, "name"),
            revoke_signer("ann", "other"),
        ]
        bench.ok(bench.build("rich", *given_back))
        assert (counts(bench, "rich"), counts(bench, "ann")) == ((0, 1, 0), (3, 0, 1))


def test_what_is_sponsored_is_free_for_its_owner(bench: Bench) -> None:
    """The reserve of a sponsored line is not held back from what the owner may spend."""
    before = bench.account("ann").balance
    bench.ok(bench.build("rich", *sponsored("rich", "ann", ChangeTrust(USD, source=address("ann"))), signers=["rich", "ann"]))
    assert bench.operation_codes("ann", Payment(address("rich"), Asset.native(), "999")) == ["op_underfunded"]
    spendable = before - XLM - 200
    amount = f"{spendable // XLM}.{spendable % XLM:07d}"
    bench.ok(bench.build("ann", Payment(address("rich"), Asset.native(), amount)))
    assert bench.account("ann").balance == XLM
