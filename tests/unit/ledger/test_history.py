"""Accounts' entries merged into one history, cut into pages anywhere."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.history import NEWEST, Line, beginning, newest_first, pinned, read_cursor, with_cursors, write_cursor

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS = sorted(beginning("usr_1", None))


def _accounts(seconds: list[list[int]]) -> dict[str, list[Line]]:
    """Each account's entries, newest version first; their times are in any order."""
    return {
        account: [
            Line(account, version, f"jrn_{version}", 1, 1, START + timedelta(seconds=second))
            for version, second in reversed(list(enumerate(posted, 1)))
        ]
        for account, posted in zip(ACCOUNTS, seconds, strict=True)
    }


SECONDS = st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=4, max_size=4)


@given(SECONDS, st.integers(0, 40))
def test_a_history_cut_anywhere_goes_on_where_it_ended(seconds: list[list[int]], cut: int) -> None:
    accounts = _accounts(seconds)
    whole = list(newest_first(accounts))
    assert sorted(whole) == sorted(line for lines in accounts.values() for line in lines)
    for account in ACCOUNTS:
        assert [line for line in whole if line.account_id == account] == accounts[account]
    pages = list(with_cursors(whole[:cut], pinned(beginning("usr_1", None), accounts)))
    if not pages:
        return
    positions = read_cursor(pages[-1][0], beginning("usr_1", None))
    assert positions is not None
    below = {account: [line for line in lines if line.version < positions[account]] for account, lines in accounts.items()}
    assert list(newest_first(below)) == whole[cut:]


@given(SECONDS)
def test_times_that_agree_with_the_versions_are_in_order(seconds: list[list[int]]) -> None:
    moments = [line.posted_at for line in newest_first(_accounts([sorted(posted) for posted in seconds]))]
    assert moments == sorted(moments, reverse=True)


def test_what_has_not_been_read_yet_begins_below_what_was_there() -> None:
    accounts = _accounts([[1, 2], [], [3], []])
    assert list(pinned(beginning("usr_1", None), accounts).values()) == [3, 1, 2, 1]
    assert pinned({ACCOUNTS[0]: 2}, {ACCOUNTS[0]: accounts[ACCOUNTS[0]][1:]}) == {ACCOUNTS[0]: 2}


def test_a_history_begins_with_the_newest_of_each_account() -> None:
    assert beginning("usr_1", "USD") == {"user:usr_1:available:USD": NEWEST, "user:usr_1:reserved:USD": NEWEST}
    assert len(beginning("usr_1", None)) == 4


@pytest.mark.parametrize("cursor", ["ent_1", "ent_1_2_3", "ent_1_-2", "ent_1_x", "ent_1_", "", f"ent_1_{NEWEST + 1}", "usr_1_2"])
def test_a_cursor_that_was_never_written_is_not_read(cursor: str) -> None:
    assert read_cursor(cursor, beginning("usr_1", "USD")) is None


def test_a_cursor_is_read_as_it_was_written() -> None:
    positions = dict(zip(ACCOUNTS, (4, 3, 2, 1), strict=True))
    assert read_cursor(write_cursor(positions), beginning("usr_1", None)) == positions
