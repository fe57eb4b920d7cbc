import pytest

from libs.common.contracts.replies.ledger import UserOpened
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import sibling_id
from tests.support.gateway import FakeServices, Served, error_of, user

pytestmark = pytest.mark.integration
ORDER = {"buyerId": "usr_1", "sellerId": "usr_2", "amount": "100.00", "title": "Logo", "currency": "USDC"}


async def test_a_created_order_is_201_under_data_with_an_id_of_its_command(served: Served, services: FakeServices) -> None:
    answer = await served.client.post("/orders", json=ORDER)
    assert answer.status_code == 201
    assert set(answer.json()) == {"data"}
    [(envelope, command)] = services.heard
    assert answer.json()["data"]["id"] == command.order_id == sibling_id("ord", envelope.id)
    assert (command.amount, command.currency, command.quoted_currency) == (1_000_000_000, "USD", "USDC")
    assert envelope.tenant == "default:live"


async def test_a_known_external_id_is_200(served: Served, services: FakeServices) -> None:
    first = await served.client.post("/users", json={"externalUserId": "ext-1"})
    services.answers["OpenUser"] = lambda it: UserOpened(user(it.user_id, it.external_user_id), created=False)
    second = await served.client.post("/users", json={"external_user_id": "ext-1"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert set(second.json()["data"]) == set(first.json()["data"])


async def test_a_list_has_its_pagination_beside_it(served: Served, services: FakeServices) -> None:
    answer = await served.client.get("/orders?status=IN_PROGRESS&buyerId=usr_1&created_after=2026-01-01&limit=1&cursor=ord_2")
    assert answer.json()["pagination"] == {"has_more": True, "next_cursor": "ord_1"}
    [query] = services.told("ListOrders")
    assert (query.status, query.buyer_id, query.created_after) == ("IN_PROGRESS", "usr_1", "2026-01-01T00:00:00+00:00")
    assert (query.limit, query.cursor) == (1, "ord_2")


async def test_a_credit_is_a_journal_against_the_adjustments_and_answers_what_it_left(
    served: Served, services: FakeServices
) -> None:
    body = {"amount": "12.50", "currency": "USD", "reference": "ticket 7"}
    answer = await served.client.post("/users/usr_1/balance/credit", json=body)
    adjusted = answer.json()["data"]
    assert (answer.status_code, adjusted["operation"], adjusted["amount"], adjusted["available"]) == (
        200,
        "CREDIT",
        "12.50",
        "10.00",
    )
    assert not services.told("GetBalance")
    await served.client.post("/users/usr_1/balance/debit", json=body)
    credit, debit = services.told("PostJournal")
    [there], [back] = credit.postings, debit.postings
    assert (there.source, there.destination, there.amount) == ("platform:adjustments", "user:usr_1:available", 125_000_000)
    assert (back.source, back.destination) == (there.destination, there.source)
    assert (credit.kind, credit.subject) == ("adjust", "ticket 7")


async def test_a_refusal_keeps_its_details_and_says_whether_to_retry(served: Served, services: FakeServices) -> None:
    details = {"available": "5.00", "requested": "9.00"}
    services.answers["ReserveOrder"] = lambda _: Refusal("INSUFFICIENT_FUNDS", "Too little", details)
    poor = await served.client.post("/orders/ord_1/reserve")
    assert (poor.status_code, error_of(poor)["details"], error_of(poor)["retryable"]) == (422, details, False)
    services.answers["ReserveOrder"] = lambda _: Refusal("INVALID_STATE", "Busy", {"retryable": True})
    busy = await served.client.post("/orders/ord_1/reserve")
    assert (busy.status_code, error_of(busy)["details"], error_of(busy)["retryable"]) == (409, {}, True)


@pytest.mark.parametrize(("sent", "echoed"), [("abc-123", True), ("x" * 129, False), ("a b", False), ("<script>", False)])
async def test_only_a_sane_request_id_is_echoed(served: Served, sent: str, echoed: bool) -> None:  # noqa: FBT001
    answer = await served.client.get("/config", headers={"X-Request-ID": sent})
    assert (answer.headers["x-request-id"] == sent) is echoed
    assert answer.headers["x-request-id"].startswith(sent if echoed else "req_")


async def test_health_config_and_the_catalogue_are_public(served: Served) -> None:
    served.client.headers.pop("Authorization")
    health = (await served.client.get("/health")).json()["data"]
    assert (health["status"], health["checks"]) == ("healthy", {"broker": "ok", "database": "ok"})
    assert (await served.client.get("/config")).json()["data"]["currencies"] == ["USD", "USDC", "XLM"]
    assert (await served.client.get("/errors/INSUFFICIENT_FUNDS")).json()["data"]["http_status"] == 422
    assert (await served.client.get("/errors/NONSENSE")).status_code == 404
    assert (await served.client.get("/openapi.json")).json()["openapi"].startswith("3.1")
    assert (await served.client.get("/me")).status_code == 401
