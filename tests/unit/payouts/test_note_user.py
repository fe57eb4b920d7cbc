"""Payouts knows each user as the newest of the ledger's events says, whatever order they come in and however often."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.envelope import Event, raw
from libs.common.contracts.events.ledger import UserCreated, UserStatusChanged, UserUpdated
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.use_cases import Context
from libs.common.persistence.state import State
from services.payouts.clients.keys import keypair_from
from services.payouts.handlers import note_user
from services.payouts.handlers.create_wallet import CreateWallet
from services.payouts.store.rows import PARTIES, WALLETS, PartyRow

TENANT = Tenant("acme:live")
CONTEXT = Context(TENANT, "evt_1", "", datetime(2026, 1, 1, tzinfo=UTC), "bat_1", new_id)
CREATE = CreateWallet("testnet", {(TENANT, "wal_7"): keypair_from(bytes(32)).public_key})
HISTORY: list[tuple[str, msgspec.Struct]] = [
    ("user.created", UserCreated("usr_7", "ext-7", None, "BOTH", "ACTIVE", {})),
    ("user.suspended", UserStatusChanged("usr_7", "ext-7", "SUSPENDED", None, "")),
    ("user.activated", UserStatusChanged("usr_7", "ext-7", "ACTIVE", None, "")),
    ("user.updated", UserUpdated("usr_7", "ext-7", "a@x.io", "BOTH", "SUSPENDED", {})),
    ("user.suspended", UserStatusChanged("usr_7", "ext-7", "SUSPENDED", None, "")),
]


@given(st.lists(st.integers(1, len(HISTORY)), min_size=1, max_size=12))
def test_the_newest_word_on_a_user_stays_and_one_wallet_is_made(arrivals: list[int]) -> None:
    state = State()
    wallets = 0
    for sequence in arrivals:
        kind, data = HISTORY[sequence - 1]
        event = Event("user:usr_7", sequence, "2026-01-01T00:00:00.000Z", raw(data), user_ids=("usr_7",))
        decision = (CREATE if kind == "user.created" else note_user).decide(state, event, CONTEXT)
        for table, row in decision.rows:
            state.put(table, row)
            wallets += table is WALLETS
    newest = max(arrivals)
    status = msgspec.to_builtins(HISTORY[newest - 1][1])["status"]
    assert state.get(PARTIES, (TENANT, "usr_7")) == PartyRow(TENANT, "usr_7", status, newest)
    assert wallets == (1 in arrivals)


def test_the_history_above_holds_every_kind_of_event_about_users() -> None:
    assert {kind for kind, _ in HISTORY} == {name for name in EVENTS if name.startswith("user.")}
