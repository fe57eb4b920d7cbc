"""Registering an endpoint: what is refused, and where the secret goes."""

import base64
from datetime import UTC, datetime

import msgspec
import pytest

from libs.common.contracts.commands.webhooks import CreateEndpoint, DeleteEndpoint
from libs.common.contracts.replies.webhooks import Endpoint
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.kernel.webhook_keys import signing_key
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.letters import Letterbox, seal_for
from libs.common.persistence.sealing import KeyRing
from libs.common.persistence.state import State
from services.webhooks.domain.endpoints import ENDPOINTS_MAX
from services.webhooks.handlers import delete_endpoint
from services.webhooks.handlers.create_endpoint import CreateEndpointUseCase
from services.webhooks.handlers.know_hosts import Hosts
from services.webhooks.store.endpoint_rows import ENDPOINTS, SECRETS, SUBSCRIPTIONS, SubscriptionRow

TENANT = Tenant("acme:live")
CONTEXT = Context(TENANT, "cmd_1", "", datetime(2026, 1, 1, tzinfo=UTC), "bat_1", new_id)


def _zeros(count: int) -> bytes:
    return bytes(count)


RING = KeyRing.parse(f"k:{'33' * 32}", entropy=_zeros)
LETTERS = Letterbox.parse(f"k:{'33' * 32}")


async def _nowhere(_: str) -> list[str]:
    raise OSError


CREATE = CreateEndpointUseCase(RING, LETTERS, Hosts(_nowhere, allow_private=False).problem)


def _create(url: str = "https://x.test/h", events: tuple[str, ...] = ("*",), secret: str = "free-text") -> CreateEndpoint:
    return CreateEndpoint("wh_1", url, events, secret)


def _apply(state: State, decision: Decision) -> None:
    for table, row in decision.rows:
        state.put(table, row)
    for table, key in decision.removed:
        state.remove(table, key)


def _shown(decision: Decision) -> Endpoint:
    assert isinstance(decision.reply, Endpoint)
    return decision.reply


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (_create(url="http://x.test"), "url"),
        (_create(events=("order.created", "nope")), "events"),
        (_create(events=()), "events"),
        (_create(secret="short"), "secret"),
        (_create(secret=""), "secret"),
        (CreateEndpoint("wh_1", "https://x.test", ("*",), "free-text", "d" * 501), "description"),
    ],
)
def test_a_refusal_names_the_field_and_changes_nothing(command: CreateEndpoint, field: str) -> None:
    decision = CREATE.decide(State(), command, CONTEXT)
    assert isinstance(decision.reply, Refusal)
    assert decision.reply.code == "VALIDATION_ERROR"
    assert [problem["field"] for problem in decision.reply.details["fields"]] == [field]
    assert (decision.rows, decision.events) == ((), ())


@pytest.mark.parametrize("secret", ["free-text", "whsec_" + base64.b64encode(bytes(range(32))).decode()])
def test_the_answer_holds_neither_the_secret_nor_its_key(secret: str) -> None:
    answer = msgspec.json.encode(_shown(CREATE.decide(State(), _create(secret=secret), CONTEXT)))
    assert b"x.test" in answer
    assert secret.encode() not in answer
    assert signing_key(secret).encode() not in answer


def test_what_is_stored_is_sealed_for_this_endpoint() -> None:
    state = State()
    _apply(state, CREATE.decide(state, _create(), CONTEXT))
    secret = state.get(SECRETS, (TENANT, "wh_1", 1))
    assert secret is not None
    assert b"free-text" not in secret.sealed
    assert RING.open(secret.sealed, TENANT, "wh_1") == b"free-text"


@pytest.mark.parametrize(("secret", "field"), [("free-text", None), ("short", "secret")])
def test_a_secret_comes_in_a_letter_for_this_endpoint(secret: str, field: str | None) -> None:
    state, letter = State(), seal_for(LETTERS.address, secret, TENANT, "wh_1")
    decision = CREATE.decide(state, CreateEndpoint("wh_1", "https://x.test/h", ("*",), "", letter=letter), CONTEXT)
    if field is not None:
        assert isinstance(decision.reply, Refusal)
        assert decision.reply.details["fields"][0]["field"] == field
        return
    _apply(state, decision)
    kept = state.get(SECRETS, (TENANT, "wh_1", 1))
    assert kept is not None
    assert RING.open(kept.sealed, TENANT, "wh_1") == secret.encode()


def test_events_named_twice_are_kept_once() -> None:
    assert _shown(CREATE.decide(State(), _create(events=("order.*", "*", "order.*")), CONTEXT)).events == ("order.*", "*")


def test_a_tenant_has_a_limited_number_of_endpoints() -> None:
    state = State()
    for number in range(ENDPOINTS_MAX):
        state.put(SUBSCRIPTIONS, SubscriptionRow(TENANT, f"wh_{number}x", ("*",)))
    reply = CREATE.decide(state, _create(), CONTEXT).reply
    assert isinstance(reply, Refusal)
    assert reply.code == "INVALID_STATE"


def test_deleting_takes_the_secret_with_it() -> None:
    state = State()
    _apply(state, CREATE.decide(state, _create(), CONTEXT))
    decision = delete_endpoint.decide(state, DeleteEndpoint("wh_1"), CONTEXT)
    _apply(state, decision)
    assert [event.type for event in decision.events] == ["webhook.deleted"]
    assert decision.events[0].sequence == 2
    assert [state.under(table, (TENANT,)) for table in (ENDPOINTS, SECRETS, SUBSCRIPTIONS)] == [[], [], []]


def test_deleting_what_is_not_there_says_so() -> None:
    reply = delete_endpoint.decide(State(), DeleteEndpoint("wh_1"), CONTEXT).reply
    assert isinstance(reply, Refusal)
    assert reply.code == "WEBHOOK_NOT_FOUND"
