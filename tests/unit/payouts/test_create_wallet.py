"""One wallet per user, with the address that the signer gave."""

from datetime import UTC, datetime

from libs.common.contracts.envelope import Event, raw
from libs.common.contracts.events.ledger import UserCreated
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import State
from services.payouts.clients.keys import keypair_from
from services.payouts.handlers.create_wallet import CreateWallet
from services.payouts.store.rows import PARTIES, WALLETS

TENANT = Tenant("acme:live")
CONTEXT = Context(TENANT, "evt_1", "", datetime(2026, 1, 1, tzinfo=UTC), "bat_1", new_id)
PAIR = keypair_from(bytes(range(32)))
CREATE = CreateWallet("testnet", {(TENANT, "wal_7"): PAIR.public_key})


def _created(sequence: int = 1, status: str = "ACTIVE") -> Event:
    data = UserCreated("usr_7", "ext-7", None, "BOTH", status, {})
    return Event("user:usr_7", sequence, "2026-01-01T00:00:00.000Z", raw(data), user_ids=("usr_7",))


def _apply(state: State, decision: Decision) -> None:
    for table, row in decision.rows:
        state.put(table, row)


def test_a_new_user_gets_a_wallet_and_the_world_hears_of_it() -> None:
    state = State()
    decision = CREATE.decide(state, _created(), CONTEXT)
    _apply(state, decision)
    wallet = state.get(WALLETS, (TENANT, "usr_7"))
    assert wallet is not None
    assert (wallet.id, wallet.public_key, wallet.network) == ("wal_7", PAIR.public_key, "testnet")
    assert [(event.type, event.aggregate, event.sequence) for event in decision.events] == [("wallet.created", "wallet:wal_7", 1)]


def test_the_same_user_again_makes_no_second_wallet() -> None:
    state = State()
    _apply(state, CREATE.decide(state, _created(), CONTEXT))
    again = CREATE.decide(state, _created(), CONTEXT)
    assert (again.rows, again.events) == ((), ())


def test_a_party_only_moves_forward() -> None:
    state = State()
    _apply(state, CREATE.decide(state, _created(sequence=5, status="SUSPENDED"), CONTEXT))
    _apply(state, CREATE.decide(state, _created(sequence=1, status="ACTIVE"), CONTEXT))
    party = state.get(PARTIES, (TENANT, "usr_7"))
    assert party is not None
    assert party.status == "SUSPENDED"
