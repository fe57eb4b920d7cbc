"""What a change of a user does, as a table; and that any series of changes ends where their sum says, told without a gap."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.commands.ledger import OpenUser, Posting, PostJournal, UpdateUser
from libs.common.contracts.replies.ledger import JournalPosted, User
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.kernel.metadata import BYTES_MAX, KEYS_MAX
from libs.common.messaging.use_cases import Announce, Context, Decision
from libs.common.persistence.state import State
from services.ledger.handlers import open_user, post_journal, update_user
from services.ledger.store.rows import USERS, UserRow

TENANT = Tenant("default:live")
START = datetime(2026, 2, 1, 12, tzinfo=UTC)
U = "usr_a"


class Desk:
    """One user, opened an hour before anything else happens."""

    def __init__(self, **terms: Any) -> None:
        self.state = State()
        self.now = START
        self.events: list[Announce] = []
        self.run(open_user, OpenUser(U, "ext-a", **terms))
        self.events.clear()
        self.now += timedelta(hours=1)

    def run(self, module: Any, message: msgspec.Struct) -> Decision:
        decision: Decision = module.decide(self.state, message, Context(TENANT, new_id("cmd"), "", self.now, "bat_1", new_id))
        for table, row in decision.rows:
            self.state.put(table, row)
        self.events += decision.events
        return decision

    def change(self, **changes: Any) -> Any:
        return self.run(update_user, UpdateUser(U, **changes)).reply

    @property
    def user(self) -> UserRow:
        user = self.state.get(USERS, (TENANT, U))
        assert user is not None
        return user


def _has_status(desk: Desk, status: str) -> None:
    desk.state.put(USERS, msgspec.structs.replace(desk.user, status=status))


@pytest.mark.parametrize(
    ("changes", "after", "told"),
    [
        ({"status": "SUSPENDED"}, {"status": "SUSPENDED"}, ["user.suspended"]),
        ({"status": "ACTIVE"}, {}, []),
        ({"email": "new@x.io"}, {"email": "new@x.io"}, ["user.updated"]),
        ({"email": "old@x.io"}, {}, []),
        ({"email": None}, {"email": None}, ["user.updated"]),
        ({"user_type": "SELLER"}, {"type": "SELLER"}, ["user.updated"]),
        ({"user_type": "BOTH"}, {}, []),
        ({"metadata": {"tier": "gold"}}, {"metadata": {"tier": "gold", "n": 1}}, ["user.updated"]),
        ({"metadata": {"tier": None}}, {"metadata": {"n": 1}}, ["user.updated"]),
        ({"metadata": {"n": True}}, {"metadata": {"tier": "free", "n": True}}, ["user.updated"]),
        ({"metadata": {"deep": {"a": None}}}, {"metadata": {"tier": "free", "n": 1, "deep": {"a": None}}}, ["user.updated"]),
        ({"metadata": {"unknown": None}}, {}, []),
        ({"metadata": {"n": 1}}, {}, []),
        ({}, {}, []),
        ({"reason": "why not"}, {}, []),
        (
            {"status": "SUSPENDED", "email": "new@x.io"},
            {"status": "SUSPENDED", "email": "new@x.io"},
            ["user.updated", "user.suspended"],
        ),
    ],
)
def test_only_what_differs_is_changed_and_told(changes: dict[str, Any], after: dict[str, Any], told: list[str]) -> None:
    desk = Desk(email="old@x.io", metadata={"tier": "free", "n": 1})
    before = desk.user
    reply = desk.change(**changes)
    expected = msgspec.structs.replace(before, **after)
    if told:
        expected = msgspec.structs.replace(expected, sequence=1 + len(told), updated_at=desk.now)
    assert desk.user == expected
    assert msgspec.json.encode(desk.user.metadata) == msgspec.json.encode(expected.metadata)
    assert isinstance(reply, User)
    assert (reply.status, reply.email, reply.type, reply.metadata) == (
        expected.status,
        expected.email,
        expected.type,
        expected.metadata,
    )
    assert [(event.type, event.sequence) for event in desk.events] == [(kind, place) for place, kind in enumerate(told, 2)]


@pytest.mark.parametrize(
    ("status", "wanted", "told"),
    [
        ("ACTIVE", "SUSPENDED", "user.suspended"),
        ("SUSPENDED", "ACTIVE", "user.activated"),
        ("PENDING_VERIFICATION", "ACTIVE", "user.activated"),
        ("PENDING_VERIFICATION", "SUSPENDED", "user.suspended"),
    ],
)
def test_a_status_changes_and_says_why(status: str, wanted: str, told: str) -> None:
    desk = Desk()
    _has_status(desk, status)
    assert desk.change(status=wanted, reason="ticket 7").status == wanted
    [event] = desk.events
    assert (event.type, event.aggregate, event.sequence, event.user_ids) == (told, f"user:{U}", 2, (U,))
    assert msgspec.to_builtins(event.data) == {
        "user_id": U,
        "external_user_id": "ext-a",
        "status": wanted,
        "reason": "ticket 7",
        "at": "2026-02-01T13:00:00.000Z",
    }


def test_an_update_tells_the_whole_user_as_it_is_now() -> None:
    desk = Desk(metadata={"a": 1})
    desk.change(status="SUSPENDED", email="a@x.io", metadata={"b": 2})
    assert msgspec.to_builtins(desk.events[0].data) == {
        "user_id": U,
        "external_user_id": "ext-a",
        "email": "a@x.io",
        "type": "BOTH",
        "status": "SUSPENDED",
        "metadata": {"a": 1, "b": 2},
    }


@pytest.mark.parametrize(
    ("known", "changes"),
    [
        ({f"k{n}": n for n in range(KEYS_MAX)}, {"one_more": 1}),
        ({"a": "x" * (BYTES_MAX - 100)}, {"b": "x" * 200}),
    ],
)
def test_metadata_that_would_grow_too_large_is_refused_and_nothing_changes(
    known: dict[str, Any], changes: dict[str, Any]
) -> None:
    desk = Desk(metadata=known)
    reply = desk.change(email="new@x.io", metadata=changes)
    assert isinstance(reply, Refusal)
    assert (reply.code, [field["field"] for field in reply.details["fields"]]) == ("VALIDATION_ERROR", ["metadata"])
    assert (desk.user.email, desk.user.metadata, desk.events) == (None, known, [])


def test_full_metadata_can_still_be_exchanged_key_by_key() -> None:
    desk = Desk(metadata={f"k{n}": n for n in range(KEYS_MAX)})
    assert isinstance(desk.change(metadata={"k0": None, "other": 1}), User)
    assert len(desk.user.metadata) == KEYS_MAX


def test_nobody_can_be_changed_who_is_not_there() -> None:
    reply = Desk().run(update_user, UpdateUser("usr_nobody", status="SUSPENDED")).reply
    assert isinstance(reply, Refusal)
    assert (reply.code, reply.details) == ("USER_NOT_FOUND", {"user_id": "usr_nobody"})


def test_a_suspension_holds_for_what_follows_in_the_same_batch() -> None:
    desk = Desk()
    deposit = PostJournal("deposit", "USD", (Posting("external:stellar", f"user:{U}:available", 5),))
    reserve = PostJournal("reserve", "USD", (Posting(f"user:{U}:available", f"user:{U}:reserved", 5),))
    for table, opened in post_journal.needs(deposit, Context(TENANT, "jrn_1", "", desk.now, "bat_1", new_id)).new:
        desk.state.put(table, opened)
    assert isinstance(desk.run(post_journal, deposit).reply, JournalPosted)
    desk.change(status="SUSPENDED")
    refused = desk.run(post_journal, reserve).reply
    assert isinstance(refused, Refusal)
    assert refused.code == "USER_INACTIVE"
    assert desk.run(open_user, OpenUser("usr_b", "ext-a")).reply.user.status == "SUSPENDED"  # type: ignore[union-attr]
    desk.change(status="ACTIVE")
    assert isinstance(desk.run(post_journal, reserve).reply, JournalPosted)


def test_every_event_about_a_user_says_who_and_in_which_status() -> None:
    about = {name: kind for name, kind in EVENTS.items() if name.startswith("user.")}
    assert set(about) == {"user.created", "user.updated", "user.suspended", "user.activated"}
    for kind in about.values():
        assert {"user_id", "status"} <= set(kind.__struct_fields__)


_KEYS = st.sampled_from(["a", "b", "c"])
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["ACTIVE", "SUSPENDED"]),
        "email": st.sampled_from(["one@x.io", "two@x.io", None]),
        "user_type": st.sampled_from(["BUYER", "SELLER", "BOTH"]),
        "metadata": st.dictionaries(_KEYS, st.sampled_from([None, 0, 1, True, "x", {"y": None}])),
    },
)


@given(st.lists(_CHANGES, max_size=12))
def test_any_series_of_changes_ends_where_their_sum_says(series: list[dict[str, Any]]) -> None:
    desk = Desk()
    model: dict[str, Any] = {"status": "ACTIVE", "email": None, "user_type": "BOTH", "metadata": {}}
    for changes in series:
        laid = {**model["metadata"], **changes.get("metadata", {})}
        removed = {key for key, value in changes.get("metadata", {}).items() if value is None}
        model = {**model, **changes, "metadata": {key: value for key, value in laid.items() if key not in removed}}
        desk.change(**changes)
    user = desk.user
    assert {"status": user.status, "email": user.email, "user_type": user.type, "metadata": user.metadata} == model
    assert [event.sequence for event in desk.events] == list(range(2, user.sequence + 1))
    last = [msgspec.to_builtins(event.data)["status"] for event in desk.events]
    assert not last or last[-1] == user.status
