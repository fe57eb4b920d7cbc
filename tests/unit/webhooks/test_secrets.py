"""What each secret of an endpoint does, by the clock alone."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.commands.webhooks import CreateEndpoint, RotateSecret
from libs.common.contracts.replies.webhooks import SecretRotation
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.letters import Letterbox, seal_for
from libs.common.persistence.sealing import KeyRing
from libs.common.persistence.state import State
from services.webhooks.domain.secrets import LIVE_MAX, live
from services.webhooks.handlers.create_endpoint import CreateEndpointUseCase
from services.webhooks.handlers.rotate_secret import RotateSecretUseCase
from services.webhooks.store.endpoint_rows import SECRETS

TENANT = Tenant("acme:live")
START = datetime(2026, 1, 1, tzinfo=UTC)


def _zeros(count: int) -> bytes:
    return bytes(count)


RING = KeyRing.parse(f"k:{'33' * 32}", entropy=_zeros)
LETTERS = Letterbox.parse(f"k:{'33' * 32}")
ROTATE = RotateSecretUseCase(RING, LETTERS)


def _context(seconds: float) -> Context:
    return Context(TENANT, "cmd_1", "", START + timedelta(seconds=seconds), "bat_1", new_id)


def _apply(state: State, decision: Decision) -> Decision:
    for table, row in decision.rows:
        state.put(table, row)
    for table, key in decision.removed:
        state.remove(table, key)
    return decision


def _registered() -> State:
    state = State()
    create = CreateEndpointUseCase(RING, LETTERS, lambda _: None)
    _apply(state, create.decide(state, CreateEndpoint("wh_1", "https://x.test", ("*",), "secret-1"), _context(0)))
    return state


def _rotate(state: State, name: str, at: float, *, stage: int = 0, overlap: int = 0) -> Decision:
    letter = seal_for(LETTERS.address, name, TENANT, "wh_1")
    return _apply(state, ROTATE.decide(state, RotateSecret("wh_1", "", overlap, stage, letter), _context(at)))


def _signing(state: State, at: float) -> list[str]:
    signing = live(state.under(SECRETS, (TENANT, "wh_1")), START + timedelta(seconds=at))
    return [RING.open(secret.sealed, TENANT, "wh_1").decode() for secret in signing]


def test_a_new_secret_is_staged_then_first_then_alone() -> None:
    state = _registered()
    reply = _rotate(state, "secret-2", 10, stage=100, overlap=50).reply
    assert isinstance(reply, SecretRotation)
    assert (reply.signs_from, reply.previous_until) == ("2026-01-01T00:01:50.000Z", "2026-01-01T00:02:40.000Z")
    assert _signing(state, 10) == ["secret-1", "secret-2"]
    assert _signing(state, 109.9) == ["secret-1", "secret-2"]
    assert _signing(state, 110) == ["secret-2", "secret-1"]
    assert _signing(state, 159.9) == ["secret-2", "secret-1"]
    assert _signing(state, 160) == ["secret-2"]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300)), max_size=8), st.integers(0, 4_000))
def test_there_is_always_a_first_secret_and_what_was_good_stays_good_as_long_as_was_promised(
    rotations: list[tuple[int, int, int]], look: int
) -> None:
    state, at = _registered(), 0
    for number, (wait, stage, overlap) in enumerate(rotations, 2):
        at += wait
        before = _signing(state, at)
        reply = _rotate(state, f"secret-{number}", at, stage=stage, overlap=overlap).reply
        after = _signing(state, at)
        if isinstance(reply, Refusal):
            assert after == before
        elif stage:
            assert after == [*before, f"secret-{number}"]
        elif overlap:
            assert after == [f"secret-{number}", *before]
        else:
            assert after == [f"secret-{number}"]
    assert 1 <= len(_signing(state, at + look)) <= LIVE_MAX


@pytest.mark.parametrize("secret", ["short", "whsec_!!!!"])
def test_what_can_not_be_a_secret_is_refused_by_name(secret: str) -> None:
    reply = _rotate(_registered(), secret, 1).reply
    assert isinstance(reply, Refusal)
    assert reply.details["fields"][0]["field"] == "secret"


def test_a_rotation_waits_for_the_one_before_it() -> None:
    state = _registered()
    _rotate(state, "secret-2", 1, stage=10)
    reply = _rotate(state, "secret-3", 2).reply
    assert isinstance(reply, Refusal)
    assert reply.code == "INVALID_STATE"


def test_there_are_never_many_and_those_that_have_retired_go() -> None:
    state = _registered()
    replies = [_rotate(state, f"secret-{number}", number, overlap=1_000).reply for number in range(2, LIVE_MAX + 2)]
    assert [isinstance(reply, Refusal) for reply in replies] == [False] * (LIVE_MAX - 1) + [True]
    _rotate(state, "secret-9", 2_000)
    assert [secret.number for secret in state.under(SECRETS, (TENANT, "wh_1"))] == [LIVE_MAX, LIVE_MAX + 1]


def test_neither_answer_nor_event_holds_the_secret() -> None:
    decision = _rotate(_registered(), "secret-2", 1)
    said = [decision.reply, *(event.data for event in decision.events), *(row for _, row in decision.rows)]
    assert all(b"secret-2" not in msgspec.json.encode(thing) for thing in said)
    assert [event.type for event in decision.events] == ["webhook.secret_rotated"]
