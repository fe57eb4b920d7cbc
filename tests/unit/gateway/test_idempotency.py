import pytest

from services.gateway.domain.answers import Answer, failure, page, resource
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.idempotency import Fate, canonical, fate, fingerprint, is_key

BODY = {"a": 1, "b": {"c": [1, 2], "d": "x"}}


def printed(method: str, path: str, body: dict[str, object]) -> bytes:
    return fingerprint(b"pepper", method, path, canonical(body))


def test_spacing_and_order_don_t_change_a_request() -> None:
    again = {"b": {"d": "x", "c": [1, 2]}, "a": 1}
    assert printed("POST", "/orders", BODY) == printed("POST", "/orders", again)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/orders", BODY),
        ("POST", "/orders/ord_1", BODY),
        ("POST", "/orders?mode=test", BODY),
        ("POST", "/orders", BODY | {"a": 2}),
        ("POST", "/orders", BODY | {"a": "1"}),
        ("POST", "/orders", BODY | {"b": {"c": [2, 1], "d": "x"}}),
        ("POST", "/orders", {}),
    ],
)
def test_anything_else_does(method: str, path: str, body: dict[str, object]) -> None:
    assert printed(method, path, body) != printed("POST", "/orders", BODY)


def test_without_the_pepper_a_guess_confirms_nothing() -> None:
    assert fingerprint(b"another", "POST", "/orders", canonical(BODY)) != printed("POST", "/orders", BODY)


@pytest.mark.parametrize(
    ("text", "good"), [("a", True), ("x" * 255, True), ("", False), ("x" * 256, False), ("a b", False), ("é", False)]
)
def test_a_key_is_visible_ascii(text: str, good: bool) -> None:  # noqa: FBT001 - a column of a table
    assert is_key(text) is good


def refused(code: str, **details: object) -> Answer:
    return failure(code, "", details, request_id="req_1", docs="/errors")


@pytest.mark.parametrize(
    ("answer", "fresh", "expected"),
    [
        (resource(b"{}"), True, Fate.KEEP),
        (resource(b"{}", status=201), False, Fate.KEEP),
        (refused("INSUFFICIENT_FUNDS"), True, Fate.KEEP),
        (refused("INVALID_STATE"), True, Fate.KEEP),
        (refused("INVALID_STATE", retryable=True), True, Fate.FREE),
        (refused("INVALID_STATE", retryable=True), False, Fate.FREE),
        (refused("SERVICE_UNAVAILABLE"), True, Fate.FREE),
        (refused("SERVICE_UNAVAILABLE"), False, Fate.HOLD),
        (refused("NOT_EXECUTED"), False, Fate.FREE),
        (refused("OUTCOME_UNKNOWN"), True, Fate.HOLD),
        (refused("INTERNAL_ERROR"), True, Fate.HOLD),
    ],
)
def test_what_becomes_of_a_key(answer: Answer, fresh: bool, expected: Fate) -> None:  # noqa: FBT001 - a column of a table
    assert fate(answer, fresh=fresh) is expected


def test_a_page_is_turned_without_touching_its_items() -> None:
    assert page(b'{"data":[{"x": 1e2}],"has_more":true,"next_cursor":"ord_1"}').body == (
        b'{"data":[{"x": 1e2}],"pagination":{"has_more":true,"next_cursor":"ord_1"}}'
    )
    assert page(b'{"data":[]}').body == b'{"data":[],"pagination":{"has_more":false,"next_cursor":null}}'


def test_a_refusal_nobody_catalogued_is_a_conflict() -> None:
    assert refused("SOMETHING_NEW").status == 409


def test_every_code_of_the_reference_has_its_status() -> None:
    printed = {
        "VALIDATION_ERROR": 400, "UNAUTHORIZED": 401, "INSUFFICIENT_SCOPE": 403, "USER_NOT_FOUND": 404, "ORDER_NOT_FOUND": 404,
        "INVALID_STATE": 409, "IDEMPOTENCY_KEY_REUSED": 409, "INSUFFICIENT_FUNDS": 422, "RATE_LIMITED": 429,
        "PROVIDER_TIMEOUT": 504,
    }  # fmt: skip
    assert {code: CATALOGUE[code].status for code in printed} == printed
