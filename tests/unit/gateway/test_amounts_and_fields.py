import pytest

from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.escrow import NewEscrow
from services.gateway.entrypoints.http.fields import read_fields
from services.gateway.entrypoints.http.orders import NewOrder, OrderQuery
from services.gateway.entrypoints.http.users import EntryQuery, NewUser

ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}


def complaints(model: type, data: dict[str, object]) -> list[str]:
    with pytest.raises(ApiError) as caught:
        read_fields(model, data)
    assert caught.value.code == "VALIDATION_ERROR"
    return [problem["field"] for problem in caught.value.details["fields"]]


@pytest.mark.parametrize(
    ("text", "stroops"),
    [("1", 10_000_000), ("0.01", 100_000), ("0.0000001", 1), ("007.10", 71_000_000), ("12.5", 125_000_000)],
)
def test_amounts_are_read_exactly(text: str, stroops: int) -> None:
    read = read_fields(NewEscrow, {"amount": text, "currency": "USD"})
    assert isinstance(read, NewEscrow)
    assert read.amount == stroops


@pytest.mark.parametrize(
    "amount",
    ["-1", "+1.00", "0", "0.00", "0.00000001", "1e3", "NaN", "Infinity", "\uff11\uff12", " 1", "1 ", "1,00", "1" * 41, "0x10",
     "1.00\n", "", ".5", "5.", "9223372036854775808", 1, 1.5, True, None, [], {}, ["1"]],
)  # fmt: skip
def test_what_is_no_amount_is_refused_by_name(amount: object) -> None:
    assert complaints(NewEscrow, {"amount": amount, "currency": "USD"}) == ["amount"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "CLOSED"}, "status"),
        ({"id": "ord_1"}, "id"),
        ({"tenant_id": "x"}, "tenant_id"),
        ({"buyer_id": 5}, "buyer_id"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"title": ""}, "title"),
        ({"title": "x" * 256}, "title"),
        ({"metadata": "text"}, "metadata"),
        ({"metadata": {str(number): 1 for number in range(51)}}, "metadata"),
        ({"milestones": [{"ref": "a", "title": "A", "amount": 5}]}, "milestones[0].amount"),
        ({"milestones": [{"ref": "a", "title": "A", "amount": "5", "state": "x"}]}, "milestones[0].state"),
        ({"milestones": {}}, "milestones"),
        ({"buyerId": "usr_9"}, "buyerId"),
    ],
)
def test_every_wrong_field_is_named(change: dict[str, object], field: str) -> None:
    assert complaints(NewOrder, ORDER | change) == [field]


def test_all_missing_fields_are_named_at_once() -> None:
    assert complaints(NewOrder, {}) == ["buyer_id", "seller_id", "amount", "title"]


def test_camel_case_is_read_at_every_depth() -> None:
    read = read_fields(NewOrder, {"buyerId": "usr_1", "sellerId": "usr_2", "amount": "1", "title": "t", "clientOrderRef": "r"})
    assert isinstance(read, NewOrder)
    assert (read.buyer_id, read.client_order_ref) == ("usr_1", "r")


def test_both_spellings_may_say_the_same() -> None:
    read = read_fields(NewUser, {"external_user_id": "a", "externalUserId": "a", "type": "buyer"})
    assert isinstance(read, NewUser)
    assert (read.external_user_id, read.type) == ("a", "BUYER")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "+5"}, "limit"),
        ({"limit": "1e1"}, "limit"),
        ({"limit": "\u0665"}, "limit"),
        ({"cursor": "' OR 1=1 --"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"status": "DONE"}, "status"),
        ({"buyer_id": "%"}, "buyer_id"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_after": "2026-02-30"}, "created_after"),
        ({"created_before": "0001-01-01T00:00:00+14:00"}, "created_before"),
        ({"created_before": "20260101"}, "created_before"),
    ],
)
def test_every_wrong_filter_is_named(query: dict[str, object], field: str) -> None:
    assert complaints(OrderQuery, query) == [field]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T23:59:59Z", "2026-01-31T23:59:59+00:00"),
        ("2026-01-31T23:59:59.250+02:00", "2026-01-31T21:59:59.250000+00:00"),
    ],
)
def test_dates_become_utc_instants(text: str, instant: str) -> None:
    read = read_fields(OrderQuery, {"createdAfter": text})
    assert isinstance(read, OrderQuery)
    assert (read.created_after, read.limit) == (instant, 20)


def test_a_history_cursor_is_one_of_the_ledgers() -> None:
    cursor = "ent_1768212000000000_3_9223372036854775807_0"
    read = read_fields(EntryQuery, {"cursor": cursor})
    assert isinstance(read, EntryQuery)
    assert read.cursor == cursor
    for wrong in ("ent_x", "ent_", "ent_1_", "ent_1_2_x", "usr_1", "ent_1768212000000000_3_user:usr_1:available:USD"):
        assert complaints(EntryQuery, {"cursor": wrong}) == ["cursor"]
