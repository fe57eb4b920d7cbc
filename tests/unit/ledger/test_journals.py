"""Which journals the ledger posts, as a table; and that whatever it posts balances and never takes what isn't there."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from libs.common.contracts.accounts import available, clearing, escrow, reserved
from libs.common.contracts.commands.ledger import OpenUser, Posting, PostJournal
from libs.common.contracts.replies.ledger import JournalPosted
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import State
from services.ledger.handlers import open_user, post_journal
from services.ledger.store.rows import ACCOUNTS, ENTRIES, USERS_SEEN, AccountRow, EntryRow

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
TENANT = Tenant("default:live")
A, B = "usr_a", "usr_b"
FEES, ADJUST, STELLAR = "platform:fees", "platform:adjustments", "external:stellar"


def _context(message_id: str) -> Context:
    return Context(TENANT, message_id, "", NOW, "bat_1", new_id)


class Books:
    """The ledger's decisions over rows in memory, in place of a database."""

    def __init__(self) -> None:
        self.state = State()
        self.entries: list[EntryRow] = []
        self.events: list[tuple[str, int, str]] = []
        self.count = 0

    def run(self, module: Any, message: msgspec.Struct) -> Decision:
        self.count += 1
        context = _context(f"jrn_{self.count}")
        for table, row in module.needs(message, context).new:
            if self.state.get(table, table.key_of(row)) is None:
                self.state.put(table, row)
        decision: Decision = module.decide(self.state, message, context)
        for table, row in decision.rows:
            self.state.put(table, row)
            if table is ENTRIES:
                assert isinstance(row, EntryRow)
                self.entries.append(row)
        self.events += [(event.aggregate, event.sequence, event.type) for event in decision.events]
        return decision

    def open(self, user_id: str) -> Decision:
        return self.run(open_user, OpenUser(user_id, f"ext-{user_id}"))

    def post(self, kind: Any, *postings: tuple[str, str, int]) -> Any:
        return self.run(post_journal, PostJournal(kind, "USD", tuple(Posting(*posting) for posting in postings))).reply

    def balance(self, account: str) -> int:
        row = self.state.get(ACCOUNTS, (TENANT, f"{account}:USD"))
        return 0 if row is None else row.balance

    def accounts(self) -> list[AccountRow]:
        return self.state.under(ACCOUNTS, (TENANT,))


@pytest.fixture
def books() -> Books:
    made = Books()
    made.open(A)
    made.open(B)
    made.post("adjust", (ADJUST, available(A), 100))
    return made


@pytest.mark.parametrize(
    ("kind", "postings", "outcome"),
    [
        ("reserve", [(available(A), reserved(A), 100)], "posted"),
        ("reserve", [(available(A), reserved(A), 101)], "INSUFFICIENT_FUNDS"),
        ("reserve", [(available(A), reserved(A), 60), (available(A), reserved(A), 60)], "INSUFFICIENT_FUNDS"),
        ("reserve", [(available(A), reserved(B), 10)], "VALIDATION_ERROR"),
        ("reserve", [(available(A), available(B), 10)], "VALIDATION_ERROR"),
        ("reserve", [(available(A), reserved(A), 0)], "VALIDATION_ERROR"),
        ("reserve", [(available(A), reserved(A), -5)], "VALIDATION_ERROR"),
        ("reserve", [(available(A), reserved(A), 2**63)], "VALIDATION_ERROR"),
        ("reserve", [], "VALIDATION_ERROR"),
        ("fund", [(available(A), escrow("ord_1"), 10)], "VALIDATION_ERROR"),
        ("fund", [(reserved(A), escrow("ord_1"), 10)], "INSUFFICIENT_FUNDS"),
        ("release", [(escrow("ord_1"), available(B), 10)], "INSUFFICIENT_FUNDS"),
        ("release", [(available(A), available(B), 10)], "VALIDATION_ERROR"),
        ("withdraw", [(available(A), clearing("wth_1"), 100)], "posted"),
        ("withdraw", [(available(A), STELLAR, 100)], "VALIDATION_ERROR"),
        ("deposit", [(STELLAR, available(B), 5)], "posted"),
        ("deposit", [(FEES, available(B), 5)], "VALIDATION_ERROR"),
        ("adjust", [(available(B), ADJUST, 1)], "INSUFFICIENT_FUNDS"),
        ("adjust", [(ADJUST, available("usr_nobody"), 1)], "USER_NOT_FOUND"),
        ("adjust", [(ADJUST, "user:usr_a:shoes", 1)], "VALIDATION_ERROR"),
        ("adjust", [(ADJUST, "user::available", 1)], "VALIDATION_ERROR"),
    ],
)
def test_journals_post_or_say_why_not(books: Books, kind: str, postings: list[tuple[str, str, int]], outcome: str) -> None:
    before = {row.id: row.balance for row in books.accounts()}
    reply = books.post(kind, *postings)
    if outcome == "posted":
        assert isinstance(reply, JournalPosted)
    else:
        assert isinstance(reply, Refusal)
        assert reply.code == outcome
        assert {row.id: row.balance for row in books.accounts() if row.balance} == {k: v for k, v in before.items() if v}


def test_a_refusal_for_funds_names_what_is_there_and_what_was_asked(books: Books) -> None:
    reply = books.post("reserve", (available(A), reserved(A), 20_000_000))
    assert reply.details == {"available": "0.00001", "requested": "2.00", "currency": "USD"}


def _suspend(books: Books, user_id: str, status: str) -> None:
    user = books.state.get(USERS_SEEN, (TENANT, user_id))
    assert user is not None
    books.state.put(USERS_SEEN, msgspec.structs.replace(user, status=status))


@pytest.mark.parametrize("status", ["SUSPENDED", "PENDING_VERIFICATION"])
def test_a_user_who_is_not_active_starts_nothing_but_is_always_given_back(books: Books, status: str) -> None:
    books.post("reserve", (available(A), reserved(A), 40))
    books.post("fund", (reserved(A), escrow("ord_1"), 20))
    _suspend(books, A, status)
    assert books.post("reserve", (available(A), reserved(A), 1)).code == "USER_INACTIVE"
    assert books.post("fund", (reserved(A), escrow("ord_2"), 1)).code == "USER_INACTIVE"
    refused = books.post("withdraw", (available(A), clearing("wth_1"), 1))
    assert (refused.code, refused.details) == ("USER_INACTIVE", {"user_id": A, "status": status})
    for kind, source, destination, amount in (
        ("cancel", reserved(A), available(A), 20),
        ("release", escrow("ord_1"), available(A), 5),
        ("refund", escrow("ord_1"), available(A), 5),
        ("split", escrow("ord_1"), available(A), 10),
        ("deposit", STELLAR, available(A), 1),
        ("topup", "external:airtm", available(A), 1),
        ("adjust", ADJUST, available(A), 1),
        ("adjust", available(A), ADJUST, 1),
    ):
        assert isinstance(books.post(kind, (source, destination, amount)), JournalPosted), kind


@pytest.mark.parametrize(
    ("kind", "posting", "starts"),
    [
        ("reserve", (available(A), reserved(A), 1), True),
        ("fund", (reserved(A), escrow("ord_1"), 1), True),
        ("cancel", (reserved(A), available(A), 1), False),
    ],
)
def test_nothing_is_started_with_a_user_who_is_not_active(
    books: Books, kind: Any, posting: tuple[str, str, int], *, starts: bool
) -> None:
    books.post("reserve", (available(A), reserved(A), 10))
    journal = PostJournal(kind, "USD", (Posting(*posting),), counterparties=(B,))
    _suspend(books, B, "SUSPENDED")
    reply = books.run(post_journal, journal).reply
    assert isinstance(reply, Refusal) is starts
    if isinstance(reply, Refusal):
        assert (reply.code, reply.details["user_id"]) == ("USER_INACTIVE", B)
    _suspend(books, B, "ACTIVE")
    assert isinstance(books.run(post_journal, journal).reply, JournalPosted)
    nobody = books.run(post_journal, msgspec.structs.replace(journal, counterparties=("usr_nobody",))).reply
    assert isinstance(nobody, Refusal)
    assert nobody.code == "USER_NOT_FOUND"


def test_a_journal_needs_to_see_everybody_it_concerns() -> None:
    journal = PostJournal("reserve", "USD", (Posting(available(A), reserved(A), 1),), counterparties=(B,))
    wanted = post_journal.needs(journal, _context("jrn_1")).rows
    assert {key for table, key in wanted if table is USERS_SEEN} == {(TENANT, A), (TENANT, B)}


def test_the_answer_says_what_each_user_was_left_with(books: Books) -> None:
    books.post("reserve", (available(A), reserved(A), 30))
    books.post("fund", (reserved(A), escrow("ord_1"), 30))
    posted = books.post("split", (escrow("ord_1"), available(B), 10), (escrow("ord_1"), available(A), 20))
    left = {balance.user_id: (balance.available, balance.reserved) for balance in posted.balances}
    assert left == {A: ("0.000009", "0.00"), B: ("0.000001", "0.00")}


def test_a_repeated_external_id_gives_the_same_user(books: Books) -> None:
    again = books.run(open_user, OpenUser("usr_other", f"ext-{A}"))
    assert again.rows == ()
    assert again.events == ()
    assert (again.reply.user.id, again.reply.created) == (A, False)  # type: ignore[union-attr]


def test_escrow_belongs_to_the_buyer_and_is_open_only_while_it_holds_something(books: Books) -> None:
    books.post("reserve", (available(A), reserved(A), 50))
    books.post("fund", (reserved(A), escrow("ord_1"), 50))
    held = books.state.get(ACCOUNTS, (TENANT, f"{escrow('ord_1')}:USD"))
    assert held is not None
    assert (held.holder_id, held.is_open, held.balance) == (A, True, 50)
    books.post("release", (escrow("ord_1"), available(B), 45), (escrow("ord_1"), FEES, 5))
    after = books.state.get(ACCOUNTS, (TENANT, f"{escrow('ord_1')}:USD"))
    assert after is not None
    assert (after.is_open, after.balance, books.balance(FEES), books.balance(available(B))) == (False, 0, 5, 45)


class AnyHistory(RuleBasedStateMachine):
    """Any sequence of journals, legal or not: the books always hold."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.books.open(A)
        self.books.open(B)

    users = st.sampled_from([A, B])
    amounts = st.integers(1, 60)
    orders = st.sampled_from(["ord_1", "ord_2"])

    @rule(user=users, amount=amounts)
    def deposit(self, user: str, amount: int) -> None:
        self.books.post("deposit", (STELLAR, available(user), amount))

    @rule(user=users, amount=amounts)
    def reserve(self, user: str, amount: int) -> None:
        self.books.post("reserve", (available(user), reserved(user), amount))

    @rule(user=users, amount=amounts)
    def cancel(self, user: str, amount: int) -> None:
        self.books.post("cancel", (reserved(user), available(user), amount))

    @rule(user=users, order=orders, amount=amounts)
    def fund(self, user: str, order: str, amount: int) -> None:
        self.books.post("fund", (reserved(user), escrow(order), amount))

    @rule(user=users, order=orders, amount=amounts, fee=st.integers(1, 5))
    def release(self, user: str, order: str, amount: int, fee: int) -> None:
        self.books.post("release", (escrow(order), available(user), amount), (escrow(order), FEES, fee))

    @rule(user=users, amount=amounts)
    def withdraw_and_settle(self, user: str, amount: int) -> None:
        if isinstance(self.books.post("withdraw", (available(user), clearing("wth_1"), amount)), JournalPosted):
            self.books.post("settle", (clearing("wth_1"), STELLAR, amount))

    @invariant()
    def debits_equal_credits(self) -> None:
        assert sum(row.balance for row in self.books.accounts()) == 0
        assert sum(entry.amount for entry in self.books.entries) == 0

    @invariant()
    def nobody_owes(self) -> None:
        assert all(row.balance >= 0 for row in self.books.accounts() if row.floored)

    @invariant()
    def entries_explain_every_balance(self) -> None:
        for row in self.books.accounts():
            mine = [entry for entry in self.books.entries if entry.account_id == row.id]
            assert [entry.version for entry in mine] == list(range(1, row.version + 1))
            running = 0
            for entry in mine:
                running += entry.amount
                assert entry.balance_after == running
            assert row.balance == running

    @invariant()
    def events_count_without_gaps(self) -> None:
        seen: dict[str, int] = {}
        for aggregate, sequence, _ in self.books.events:
            assert sequence == seen.get(aggregate, 0) + 1
            seen[aggregate] = sequence


TestAnyHistory = AnyHistory.TestCase


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(1, 50)), max_size=20))
def test_money_only_comes_in_through_its_doors(deposits: list[tuple[str, int]]) -> None:
    books = Books()
    books.open(A)
    books.open(B)
    for user, amount in deposits:
        books.post("adjust", (ADJUST, available(user), amount))
    assert books.balance(ADJUST) == -sum(amount for _, amount in deposits)
