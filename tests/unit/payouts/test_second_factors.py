"""Codes are those of RFC 6238, good once and near their time, and guessing gets nowhere."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.payouts.domain.second_factors import FAILURES_MAX, LOCKED_FOR, Factor, checked, required
from services.payouts.domain.totp import code_at, derive_key, matching_step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTOR = Factor("acme:live", "usr_1", "fac_1", "wal_1", "ACTIVE", 0, 0, None, NOW)


@pytest.mark.parametrize(
    ("unix", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_the_codes_are_those_of_the_standards_own_examples(unix: int, code: str) -> None:
    key = b"12345678901234567890"
    assert code_at(key, unix // 30) == code


def test_a_code_is_good_for_half_a_minute_more_on_either_side() -> None:
    key, unix, code = b"12345678901234567890", 1111111111, "050471"
    assert [matching_step(key, code, unix + away) for away in (-60, -30, 0, 30, 60)] == [0, *[unix // 30] * 3, 0]


def test_another_factor_has_another_key() -> None:
    assert len({derive_key(seed * 32, name) for seed in (b"a", b"b") for name in ("fac_1", "fac_2")}) == 4


def test_a_code_is_good_once_and_older_ones_are_gone_with_it() -> None:
    used, refusal = checked(FACTOR, 7, NOW)
    assert refusal is None
    for step in (6, 7):
        _, again = checked(used, step, NOW)
        assert again is not None
        assert again.details["reason"] == "USED"
    assert checked(used, 8, NOW)[1] is None


def test_guessing_locks_the_factor_even_for_a_good_code_and_a_good_one_begins_anew() -> None:
    factor = FACTOR
    for _ in range(FAILURES_MAX):
        factor, refusal = checked(factor, 0, NOW)
        assert refusal is not None
    assert factor.locked_until == NOW + LOCKED_FOR
    _, locked = checked(factor, 9, NOW + timedelta(minutes=14))
    assert locked is not None
    assert locked.details["reason"] == "LOCKED"
    after, refusal = checked(factor, 9, NOW + LOCKED_FOR)
    assert (refusal, after.failures, after.locked_until) == (None, 0, None)


def test_a_code_is_asked_for_until_there_is_one() -> None:
    assert required(FACTOR, 1, "123456") is None
    for factor, code in ((None, "123456"), (FACTOR, None), (msgspec.structs.replace(FACTOR, state="PENDING"), "123456")):
        refusal = required(factor, 1, code)
        assert refusal is not None
        assert refusal.code == "SECOND_FACTOR_REQUIRED"
