"""What each operation does, and every way it says no."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from stellar_sdk import (
    AccountMerge,
    AllowTrust,
    Asset,
    BumpSequence,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    ClaimPredicate,
    Clawback,
    ClawbackClaimableBalance,
    CreateAccount,
    CreateClaimableBalance,
    ManageData,
    MuxedAccount,
    Operation,
    PathPaymentStrictReceive,
    PathPaymentStrictSend,
    Payment,
    SetOptions,
    SetTrustLineFlags,
    Signer,
    TrustLineEntryFlag,
    TrustLineFlags,
)
from stellar_sdk.operation.set_options import AuthorizationFlag

from tests.support.chain import XLM, Bench, address

NATIVE = Asset.native()
USD = Asset("USD", address("issuer"))
EUR = Asset("EUR", address("issuer"))
CENT = Asset("CENT", address("strict"))
NOBODY = address("nobody")


@pytest.fixture
def bench() -> Bench:
    """Ann and Bob hold dollars, Cem holds none; `strict` authorises holders of its cents, revocably, and claws back."""
    made = Bench()
    made.accounts("issuer", "strict", "ann", "bob", "cem")
    made.accounts("poor", lumens=1)
    made.asset("ann", "bob", amount=100)
    flags = AuthorizationFlag.AUTHORIZATION_REQUIRED | AuthorizationFlag.AUTHORIZATION_REVOCABLE
    made.ok(made.build("strict", SetOptions(set_flags=flags | AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED)))
    made.ok(made.build("ann", ChangeTrust(CENT)))
    return made


def allow(trustor: str, code: str, flag: TrustLineEntryFlag) -> AllowTrust:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return AllowTrust(trustor, code, flag)


def operation(name: str, source: str, told: str, *operations: Operation) -> Any:
    return pytest.param(source, operations, told, id=f"{name}: {told}")


REFUSALS = [
    operation("create", "ann", "op_already_exists", CreateAccount(address("bob"), "1")),
    operation("create", "ann", "op_low_reserve", CreateAccount(NOBODY, "0.9999999")),
    operation("create", "ann", "op_underfunded", CreateAccount(NOBODY, "999")),
    operation("create", "ann", "op_malformed", CreateAccount(address("ann"), "1")),
    operation("pay", "ann", "op_no_destination", Payment(NOBODY, NATIVE, "1")),
    operation("pay", "ann", "op_no_destination", Payment(NOBODY, USD, "1")),
    operation("pay", "ann", "op_underfunded", Payment(address("bob"), NATIVE, "999")),
    operation("pay", "ann", "op_underfunded", Payment(address("bob"), USD, "100.0000001")),
    operation("pay", "ann", "op_no_trust", Payment(address("cem"), USD, "1")),
    operation("pay", "cem", "op_src_no_trust", Payment(address("bob"), USD, "1")),
    operation("pay", "strict", "op_not_authorized", Payment(address("ann"), CENT, "1")),
    operation("pay", "issuer", "op_line_full", Payment(address("bob"), USD, "922337203685.4775807")),
    operation("pay", "ann", "op_line_full", Payment(address("small"), USD, "10.1")),
    operation("by path", "ann", "op_too_few_offers", PathPaymentStrictReceive(address("bob"), NATIVE, "9", USD, "1", [])),
    operation("by path", "ann", "op_too_few_offers", PathPaymentStrictSend(address("bob"), NATIVE, "1", USD, "1", [])),
    operation("by path", "ann", "op_too_few_offers", PathPaymentStrictReceive(address("bob"), USD, "9", USD, "1", [NATIVE])),
    operation("by path", "ann", "op_over_source_max", PathPaymentStrictReceive(address("bob"), USD, "1", USD, "2", [])),
    operation("by path", "ann", "op_under_dest_min", PathPaymentStrictSend(address("bob"), USD, "1", USD, "2", [])),
    operation("by path", "ann", "op_underfunded", PathPaymentStrictReceive(address("bob"), USD, "999", USD, "101", [])),
    operation("by path", "ann", "op_underfunded", PathPaymentStrictSend(address("bob"), USD, "101", USD, "1", [])),
    operation("by path", "ann", "op_no_destination", PathPaymentStrictSend(NOBODY, USD, "1", USD, "1", [])),
    operation("by path", "ann", "op_no_trust", PathPaymentStrictReceive(address("cem"), USD, "1", USD, "1", [])),
    operation("by path", "cem", "op_src_no_trust", PathPaymentStrictSend(address("bob"), USD, "1", USD, "1", [])),
    operation("merge", "ann", "op_no_account", AccountMerge(NOBODY)),
    operation("merge", "ann", "op_has_sub_entries", AccountMerge(address("bob"))),
    operation("merge", "ann", "op_malformed", AccountMerge(address("ann"))),
    operation("trust", "ann", "op_no_issuer", ChangeTrust(Asset("USD", NOBODY))),
    operation("trust", "ann", "op_invalid_limit", ChangeTrust(USD, "99")),
    operation("trust", "ann", "op_invalid_limit", ChangeTrust(EUR, "0")),
    operation("trust", "poor", "tx_insufficient_balance", ChangeTrust(USD)),
    operation("trust", "lean", "op_low_reserve", ChangeTrust(USD)),
    operation("trust", "issuer", "op_malformed", ChangeTrust(USD)),
    operation("allow", "strict", "op_no_trust", allow(address("bob"), "CENT", TrustLineEntryFlag.AUTHORIZED_FLAG)),
    operation("allow", "issuer", "op_cant_revoke", allow(address("bob"), "USD", TrustLineEntryFlag.UNAUTHORIZED_FLAG)),
    operation(
        "flags", "issuer", "op_cant_revoke", SetTrustLineFlags(address("bob"), USD, clear_flags=TrustLineFlags.AUTHORIZED_FLAG)
    ),
    operation("flags", "ann", "op_malformed", SetTrustLineFlags(address("bob"), USD)),
    operation(
        "flags", "strict", "op_no_trust", SetTrustLineFlags(address("bob"), CENT, set_flags=TrustLineFlags.AUTHORIZED_FLAG)
    ),
    operation(
        "flags",
        "issuer",
        "op_invalid_state",
        SetTrustLineFlags(address("bob"), USD, set_flags=TrustLineFlags.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG),
    ),
    operation("clawback", "issuer", "op_not_clawback_enabled", Clawback(USD, address("bob"), "1")),
    operation("clawback", "strict", "op_no_trust", Clawback(CENT, address("bob"), "1")),
    operation("clawback", "strict", "op_underfunded", Clawback(CENT, address("ann"), "1")),
    operation("clawback", "ann", "op_malformed", Clawback(USD, address("bob"), "1")),
    operation("data", "ann", "op_data_name_not_found", ManageData("nothing", None)),
    operation("data", "lean", "op_low_reserve", ManageData("name", b"value")),
    operation("data", "ann", "op_data_invalid_name", ManageData("naïve", b"value")),
    operation("options", "ann", "op_invalid_inflation", SetOptions(inflation_dest=NOBODY)),
    operation("options", "ann", "op_threshold_out_of_range", SetOptions(low_threshold=256)),
    operation("options", "ann", "op_bad_signer", SetOptions(signer=Signer.ed25519_public_key(address("ann"), 1))),
    operation("options", "ann", "op_bad_signer", SetOptions(signer=Signer.ed25519_public_key(address("bob"), 256))),
    operation("options", "ann", "op_unknown_flag", SetOptions(set_flags=AuthorizationFlag(16))),
    operation("options", "ann", "op_bad_flags", SetOptions(set_flags=AuthorizationFlag(1), clear_flags=AuthorizationFlag(1))),
    operation("options", "ann", "op_invalid_home_domain", SetOptions(home_domain="näive")),
    operation("options", "ann", "op_auth_revocable_required", SetOptions(set_flags=AuthorizationFlag(8))),
    operation("options", "lean", "op_low_reserve", SetOptions(signer=Signer.ed25519_public_key(address("bob"), 1))),
    operation("set aside", "ann", "op_underfunded", CreateClaimableBalance(USD, "101", [Claimant(NOBODY)])),
    operation("set aside", "cem", "op_no_trust", CreateClaimableBalance(USD, "1", [Claimant(NOBODY)])),
    operation("set aside", "ann", "op_malformed", CreateClaimableBalance(USD, "1", [Claimant(NOBODY), Claimant(NOBODY)])),
    operation("set aside", "lean", "op_low_reserve", CreateClaimableBalance(NATIVE, "0.1", [Claimant(NOBODY)])),
    operation("claim", "ann", "op_does_not_exist", ClaimClaimableBalance("00000000" + "ab" * 32)),
    operation("take back", "ann", "op_does_not_exist", ClawbackClaimableBalance("00000000" + "ab" * 32)),
]


@pytest.mark.parametrize(("source", "operations", "told"), REFUSALS)
def test_a_refused_operation_says_why_and_nothing_but_the_fee_moves(
    bench: Bench, source: str, operations: tuple[Operation, ...], told: str
) -> None:
    bench.accounts("lean", "small", lumens=2)
    bench.ok(bench.build("lean", Payment(address("ann"), NATIVE, "0.6")))
    bench.ok(bench.build("small", ChangeTrust(USD, "10")))
    lumens = bench.lumens()
    codes = bench.operation_codes(source, *operations)
    assert codes == (told if told.startswith("tx_") else [told])
    assert bench.lumens() == lumens
    assert (bench.held("ann", USD), bench.held("bob", USD), bench.held("small", USD)) == (100 * XLM, 100 * XLM, 0)


def test_a_failed_payment_is_written_as_the_network_writes_it(bench: Bench) -> None:
    """The result that Horizon's own documentation shows for a payment to nobody."""
    bench.submit(bench.build("ann", Payment(NOBODY, NATIVE, "1")))
    assert bench.close().applied[0].result.to_xdr() == "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB////+wAAAAA="


def test_a_failed_batch_names_each_that_would_have_failed_and_moves_nothing(bench: Bench) -> None:
    payments = [Payment(address(each), USD, "1") for each in ("bob", "cem", "nobody", "bob")]
    sequence = bench.account("ann").sequence
    assert bench.operation_codes("ann", *payments) == ["op_success", "op_no_trust", "op_no_destination", "op_success"]
    assert (bench.held("bob", USD), bench.account("ann").sequence) == (100 * XLM, sequence + 1)


def test_destination_faults_hide_source_faults(bench: Bench) -> None:
    assert bench.operation_codes("ann", Payment(address("cem"), USD, "1000")) == ["op_no_trust"]


SUCCESSES: list[tuple[str, str, Operation, Callable[[Bench], object], object]] = [
    ("lumens", "ann", Payment(address("bob"), NATIVE, "5"), lambda b: b.account("bob").balance, 10_049_999_900),
    ("dollars", "ann", Payment(address("bob"), USD, "5"), lambda b: b.held("bob", USD), 105 * XLM),
    ("back to the issuer", "ann", Payment(address("issuer"), USD, "5"), lambda b: b.held("ann", USD), 95 * XLM),
    ("from the issuer", "issuer", Payment(address("bob"), USD, "5"), lambda b: b.held("bob", USD), 105 * XLM),
    ("to oneself, more than one has", "ann", Payment(address("ann"), NATIVE, "5000"), lambda b: b.lumens(), 10**18),
    ("to a muxed account", "ann", Payment(MuxedAccount(address("bob"), 7), USD, "1"), lambda b: b.held("bob", USD), 101 * XLM),
    (
        "by a path of one asset",
        "ann",
        PathPaymentStrictReceive(address("bob"), USD, "9", USD, "2", [USD]),
        lambda b: (b.held("ann", USD), b.held("bob", USD)),
        (98 * XLM, 102 * XLM),
    ),
    (
        "by a path, all that is sent",
        "ann",
        PathPaymentStrictSend(address("bob"), USD, "3", USD, "1", []),
        lambda b: (b.held("ann", USD), b.held("bob", USD)),
        (97 * XLM, 103 * XLM),
    ),
    ("a jump", "ann", BumpSequence(2**60), lambda b: b.account("ann").sequence, 2**60),
    (
        "a name",
        "ann",
        ManageData("config.memo_required", b"1"),
        lambda b: b.account("ann").data["config.memo_required"].value,
        b"1",
    ),
    ("a domain", "ann", SetOptions(home_domain="shop.example"), lambda b: b.account("ann").home_domain, "shop.example"),
    (
        "a higher limit",
        "ann",
        ChangeTrust(USD, "500"),
        lambda b: b.account("ann").lines[f"USD:{address('issuer')}"].limit,
        500 * XLM,
    ),
]


@pytest.mark.parametrize(("source", "done", "look", "found"), [pytest.param(*each[1:], id=each[0]) for each in SUCCESSES])
def test_what_succeeds_is_done(
    bench: Bench, source: str, done: Operation, look: Callable[[Bench], object], found: object
) -> None:
    bench.ok(bench.build(source, done))
    assert look(bench) == found


def test_an_account_merges_once_it_is_a_ledger_old_and_owns_nothing(bench: Bench) -> None:
    new = bench.build("ann", CreateAccount(address("new"), "5"))
    bench.ok(new)
    before = bench.account("bob").balance
    bench.ok(bench.build("new", AccountMerge(address("bob"))))
    assert not bench.exists("new")
    assert bench.account("bob").balance == before + 5 * XLM - 100


def test_an_account_that_could_come_back_with_an_old_sequence_does_not_merge(bench: Bench) -> None:
    bench.ok(bench.build("cem", BumpSequence(2**60)))
    assert bench.operation_codes("cem", AccountMerge(address("bob"))) == ["op_seq_num_too_far"]


def test_an_immutable_issuer_stays_as_it_is(bench: Bench) -> None:
    bench.ok(bench.build("cem", SetOptions(set_flags=AuthorizationFlag.AUTHORIZATION_IMMUTABLE)))
    assert bench.operation_codes("cem", SetOptions(set_flags=AuthorizationFlag(1))) == ["op_cant_change"]
    assert bench.operation_codes("cem", AccountMerge(address("bob"))) == ["op_immutable_set"]


def test_a_line_opens_takes_and_closes(bench: Bench) -> None:
    bench.ok(bench.build("cem", ChangeTrust(USD)))
    assert bench.account("cem").subentries == 1
    bench.ok(bench.build("ann", Payment(address("cem"), USD, "1")))
    assert bench.operation_codes("cem", ChangeTrust(USD, "0")) == ["op_invalid_limit"]
    bench.ok(bench.build("cem", Payment(address("ann"), USD, "1"), ChangeTrust(USD, "0")))
    assert (bench.account("cem").subentries, bench.account("cem").lines) == (0, {})


def test_an_issuer_authorises_freezes_and_takes_back(bench: Bench) -> None:
    flag = TrustLineEntryFlag
    bench.ok(bench.build("strict", allow(address("ann"), "CENT", flag.AUTHORIZED_FLAG)))
    bench.ok(bench.build("strict", Payment(address("ann"), CENT, "9")))
    bench.ok(bench.build("strict", allow(address("ann"), "CENT", flag.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG)))
    assert bench.operation_codes("ann", Payment(address("strict"), CENT, "1")) == ["op_src_not_authorized"]
    bench.ok(bench.build("strict", Clawback(CENT, address("ann"), "4")))
    assert bench.held("ann", CENT) == 5 * XLM
    flags = TrustLineFlags
    bench.ok(
        bench.build(
            "strict",
            SetTrustLineFlags(
                address("ann"),
                CENT,
                clear_flags=flags.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG | flags.TRUSTLINE_CLAWBACK_ENABLED_FLAG,
                set_flags=flags.AUTHORIZED_FLAG,
            ),
        )
    )
    assert bench.operation_codes("strict", Clawback(CENT, address("ann"), "1")) == ["op_not_clawback_enabled"]
    bench.ok(bench.build("ann", Payment(address("strict"), CENT, "5")))


def test_twenty_signers_are_enough(bench: Bench) -> None:
    signers = [SetOptions(signer=Signer.ed25519_public_key(address(f"signer {number}"), 1)) for number in range(21)]
    bench.ok(bench.build("ann", *signers[:20]))
    assert bench.operation_codes("ann", signers[20]) == ["op_too_many_signers"]
    bench.ok(bench.build("ann", SetOptions(signer=Signer.ed25519_public_key(address("signer 3"), 0)), signers[20]))
    assert len(bench.account("ann").signers) == 20


def test_a_thousand_subentries_are_enough(bench: Bench) -> None:
    full = bench.account("cem")
    full.subentries, full.balance = 1_000, 10_000 * XLM
    assert bench.operation_codes("cem", ManageData("one more", b"")) == ["op_too_many_subentries"]


class TestClaimableBalances:
    def test_the_id_is_the_one_everybody_computes(self, bench: Bench) -> None:
        envelope = bench.build("ann", BumpSequence(0), CreateClaimableBalance(USD, "2", [Claimant(address("bob"))]))
        bench.ok(envelope)
        assert [each.id for each in bench.claimables()] == [envelope.transaction.get_claimable_balance_id(1)]

    def test_a_balance_is_claimed_by_one_of_its_claimants_once(self, bench: Bench) -> None:
        bench.ok(bench.build("ann", CreateClaimableBalance(USD, "2", [Claimant(address("bob")), Claimant(address("cem"))])))
        (aside,) = bench.claimables()
        assert (bench.held("ann", USD), bench.account("ann").sponsoring) == (98 * XLM, 2)
        claim = ClaimClaimableBalance(aside.id)
        assert bench.operation_codes("issuer", claim) == ["op_cannot_claim"]
        assert bench.operation_codes("cem", claim) == ["op_no_trust"]
        bench.ok(bench.build("bob", claim))
        assert bench.operation_codes("bob", claim) == ["op_does_not_exist"]
        assert (bench.held("bob", USD), bench.account("ann").sponsoring) == (102 * XLM, 0)

    def test_time_from_its_making_on_becomes_a_point_in_time(self, bench: Bench) -> None:
        soon = ClaimPredicate.predicate_before_relative_time(12)
        later = ClaimPredicate.predicate_not(ClaimPredicate.predicate_before_relative_time(12))
        claimants = [Claimant(address("bob"), soon), Claimant(address("ann"), later)]
        bench.ok(bench.build("ann", CreateClaimableBalance(NATIVE, "2", claimants)))
        (aside,) = bench.claimables()
        assert bench.operation_codes("ann", ClaimClaimableBalance(aside.id)) == ["op_cannot_claim"]
        bench.close(seconds=7)
        assert bench.operation_codes("bob", ClaimClaimableBalance(aside.id)) == ["op_cannot_claim"]
        bench.ok(bench.build("ann", ClaimClaimableBalance(aside.id)))

    def test_its_issuer_takes_back_what_may_be_clawed_back(self, bench: Bench) -> None:
        bench.ok(bench.build("strict", CreateClaimableBalance(CENT, "2", [Claimant(address("bob"))])))
        bench.ok(bench.build("issuer", CreateClaimableBalance(USD, "2", [Claimant(address("bob"))])))
        cents, dollars = sorted(bench.claimables(), key=lambda each: each.asset)
        assert bench.operation_codes("ann", ClawbackClaimableBalance(cents.id)) == ["op_no_issuer"]
        assert bench.operation_codes("issuer", ClawbackClaimableBalance(dollars.id)) == ["op_not_clawback_enabled"]
        bench.ok(bench.build("strict", ClawbackClaimableBalance(cents.id)))
        assert [each.asset for each in bench.claimables()] == [dollars.asset]


def test_operations_of_many_accounts_go_in_one_transaction(bench: Bench) -> None:
    operations = [Payment(address("bob"), USD, "1", address("ann")), Payment(address("ann"), NATIVE, "1", address("bob"))]
    bench.ok(bench.build("cem", *operations, signers=["cem", "ann", "bob"]))
    assert bench.held("bob", USD) == 101 * XLM


def test_a_sequence_that_another_jumped_over_costs_the_fee_and_does_nothing(bench: Bench) -> None:
    """Both are good when they come in; in the ledger the one that bumps the other's account may go first."""
    sequence = bench.account("ann").sequence
    payment = bench.build("ann", Payment(address("bob"), NATIVE, "1"))
    jump = bench.build("cem", BumpSequence(sequence + 10, address("ann")), signers=["cem", "ann"])
    bench.submit(payment)
    bench.submit(jump)
    applied = {each.frame.hash: each for each in bench.close().applied}
    assert set(applied) == {payment.hash(), jump.hash()}
    was_first = next(iter(applied)) == payment.hash()
    assert applied[payment.hash()].is_successful is was_first
    assert bench.account("ann").sequence == sequence + 10
    assert bench.lumens() == 10**18
