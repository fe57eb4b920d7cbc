from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.kernel.ids import Tenant
from services.gateway.domain.access import Denial, Denied, Principal, Scope, master
from services.gateway.domain.addresses import parse_network
from services.gateway.domain.errors import ApiError
from services.gateway.domain.key_records import KeyRecord, KeyStatus, check_not_more, expiry_under, judge, networks_under

NOW = datetime(2026, 1, 12, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANTS = st.one_of(st.none(), st.sampled_from([NOW - HOUR, NOW, NOW + HOUR]))


def record(**changes: Any) -> KeyRecord:
    values: dict[str, Any] = {
        "tenant": Tenant("shop:live"),
        "id": "key_1",
        "name": "k",
        "marketplace": "shop",
        "mode": "live",
        "scopes": ["read"],
        "hint": "ohk_live_abcd…",
        "digest": b"",
        "allowed_ips": [],
        "created_by": "master",
        "created_at": NOW - 2 * HOUR,
    }
    return KeyRecord(**(values | changes))


def maker(**changes: Any) -> Principal:
    return replace(Principal("key_0", "maker", "shop", "live", frozenset({Scope.READ, Scope.SUPPORT})), **changes)


REPLACED = {"replaced_by": "key_2"}


@pytest.mark.parametrize(
    ("life", "status"),
    [
        ({}, KeyStatus.ACTIVE),
        ({"expires_at": NOW + HOUR}, KeyStatus.ACTIVE),
        ({"expires_at": NOW}, KeyStatus.EXPIRED),
        ({"expires_at": NOW - HOUR}, KeyStatus.EXPIRED),
        (REPLACED | {"retires_at": NOW + HOUR}, KeyStatus.RETIRING),
        (REPLACED | {"retires_at": NOW}, KeyStatus.EXPIRED),
        (REPLACED | {"retires_at": NOW + HOUR, "expires_at": NOW - HOUR}, KeyStatus.EXPIRED),
        ({"revoked_at": NOW - HOUR}, KeyStatus.REVOKED),
        ({"revoked_at": NOW - HOUR, "expires_at": NOW - HOUR}, KeyStatus.REVOKED),
        (REPLACED | {"retires_at": NOW + HOUR, "revoked_at": NOW}, KeyStatus.REVOKED),
    ],
)
def test_the_life_of_a_key(life: dict[str, Any], status: KeyStatus) -> None:
    assert record(**life).status(NOW) is status


@given(expires_at=INSTANTS, retires_at=INSTANTS, revoked_at=INSTANTS)
def test_a_key_acts_only_while_it_is_active_or_retiring(
    expires_at: datetime | None, retires_at: datetime | None, revoked_at: datetime | None
) -> None:
    key = record(expires_at=expires_at, retires_at=retires_at, revoked_at=revoked_at, replaced_by="key_2" if retires_at else None)
    good = key.status(NOW) in (KeyStatus.ACTIVE, KeyStatus.RETIRING)
    assert isinstance(judge(key, NOW), Principal) is good
    assert good is (revoked_at is None and all(end is None or end > NOW for end in (expires_at, retires_at)))


def test_nobody_knows_a_key_that_is_not_there() -> None:
    assert judge(None, NOW) is Denial.UNKNOWN


def test_a_caller_can_not_tell_an_unknown_key_from_one_that_was_good_once() -> None:
    told = {
        (error.code, error.message, str(error.details))
        for denial in (Denial.MALFORMED, Denial.UNKNOWN, Denial.EXPIRED, Denial.REVOKED)
        for error in [Denied(denial).error()]
    }
    assert told == {("UNAUTHORIZED", "Invalid API key", "{}")}


def test_the_other_refusals_say_what_to_do() -> None:
    assert Denied(Denial.MISSING).error().message == "Missing Authorization header"
    blocked = Denied(Denial.BLOCKED, retry_after=7).error()
    assert (blocked.code, blocked.retry_after, blocked.details) == ("RATE_LIMITED", 7, {"retry_after": 7})
    away = Denied(Denial.ADDRESS, address="192.0.2.1").error()
    assert (away.code, away.details) == ("ADDRESS_NOT_ALLOWED", {"address": "192.0.2.1"})


@pytest.mark.parametrize(
    ("own", "wanted", "given"),
    [
        (None, None, None),
        (None, NOW + HOUR, NOW + HOUR),
        (NOW + HOUR, None, NOW + HOUR),
        (NOW + HOUR, NOW + HOUR, NOW + HOUR),
        (NOW + 2 * HOUR, NOW + HOUR, NOW + HOUR),
        (None, NOW, "future"),
        (None, NOW - HOUR, "future"),
        (NOW + HOUR, NOW + 2 * HOUR, "outlive"),
    ],
)
def test_a_key_ends_no_later_than_its_maker(own: datetime | None, wanted: datetime | None, given: Any) -> None:
    if isinstance(given, str):
        with pytest.raises(ApiError) as refused:
            expiry_under(maker(expires_at=own), wanted, NOW)
        [complaint] = refused.value.details["fields"]
        assert complaint["field"] == "expires_at"
        assert given in complaint["message"]
    else:
        assert expiry_under(maker(expires_at=own), wanted, NOW) == given


def test_a_retiring_maker_makes_keys_that_live_on() -> None:
    assert expiry_under(maker(retires_at=NOW + HOUR), None, NOW) is None


@pytest.mark.parametrize(
    ("own", "wanted", "given"),
    [
        ([], [], []),
        ([], ["192.0.2.1", "192.0.2.1/32"], ["192.0.2.1"]),
        (["192.0.2.0/24"], [], ["192.0.2.0/24"]),
        (["192.0.2.0/24"], ["192.0.2.9"], ["192.0.2.9"]),
        (["192.0.2.0/24"], ["198.51.100.1"], None),
        (["192.0.2.0/24"], ["0.0.0.0/0"], None),
    ],
)
def test_a_key_is_good_only_where_its_maker_is(own: list[str], wanted: list[str], given: list[str] | None) -> None:
    where = maker(networks=tuple(map(parse_network, own)))
    if given is None:
        with pytest.raises(ApiError) as refused:
            networks_under(where, list(map(parse_network, wanted)))
        assert refused.value.details["fields"][0]["field"] == "allowed_ips"
    else:
        assert networks_under(where, list(map(parse_network, wanted))) == given


@pytest.mark.parametrize(
    ("own", "key", "complaint"),
    [
        ({}, {}, ""),
        ({}, {"scopes": ["read", "support"]}, ""),
        ({}, {"scopes": ["write"]}, "scopes"),
        ({"expires_at": NOW}, {"expires_at": NOW}, ""),
        ({"expires_at": NOW}, {}, "outlive"),
        ({"expires_at": NOW}, {"expires_at": NOW + HOUR}, "outlive"),
        ({"networks": (parse_network("192.0.2.0/24"),)}, {"allowed_ips": ["192.0.2.1"]}, ""),
        ({"networks": (parse_network("192.0.2.0/24"),)}, {}, "where"),
    ],
)
def test_nobody_gets_a_key_that_is_more_than_its_own(own: dict[str, Any], key: dict[str, Any], complaint: str) -> None:
    check_not_more(master(), record(**key))
    if not complaint:
        check_not_more(maker(**own), record(**key))
        return
    with pytest.raises(ApiError, match=complaint) as refused:
        check_not_more(maker(**own), record(**key))
    assert refused.value.code == "INSUFFICIENT_SCOPE"
