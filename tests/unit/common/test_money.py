"""Amounts are exact, and anything that is not a plain decimal string is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.kernel.money import MAX_STROOPS, AmountError, Money, format_amount, parse_amount, parse_share, take_fee


@pytest.mark.parametrize(
    ("text", "stroops"),
    [
        ("1", 10_000_000),
        ("1.00", 10_000_000),
        ("0.0000001", 1),
        ("12.5", 125_000_000),
        ("100.1234567", 1_001_234_567),
        ("007.10", 71_000_000),
        ("922337203685.4775807", MAX_STROOPS),
    ],
)
def test_plain_decimals_are_read_exactly(text: str, stroops: int) -> None:
    assert parse_amount(text) == stroops


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.00",
        "-1",
        "+1.00",
        "1e3",
        "1E3",
        "NaN",
        "Infinity",
        "0x10",
        "1,00",
        " 1",
        "1 ",
        "1.00\n",
        ".5",
        "1.",
        "\uff11\uff12",
        "\u0663",
        "1_000",
        "0.12345678",
        "1" * 40,
        "922337203685.4775808",
        "true",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        parse_amount(text)


@pytest.mark.parametrize(
    ("stroops", "text"),
    [(0, "0.00"), (1, "0.0000001"), (10_000_000, "1.00"), (12_500_000, "1.25"), (12_345_600, "1.23456"), (-5_000_000, "-0.50")],
)
def test_amounts_print_two_decimals_at_least_and_no_trailing_zeros_beyond(stroops: int, text: str) -> None:
    assert format_amount(stroops) == text


@given(st.integers(1, MAX_STROOPS))
def test_what_is_printed_reads_back_the_same(stroops: int) -> None:
    assert parse_amount(format_amount(stroops)) == stroops


@given(st.integers(0, MAX_STROOPS), st.integers(0, 10_000))
def test_a_fee_and_the_rest_are_always_the_whole(stroops: int, basis_points: int) -> None:
    rest, fee = take_fee(stroops, basis_points=basis_points)
    assert rest + fee == stroops
    assert rest >= 0
    assert fee * 10_000 <= stroops * basis_points < (fee + 1) * 10_000


def test_a_share_may_be_zero_and_is_as_strict_otherwise() -> None:
    assert parse_share("0.00") == 0
    for text in ("-0", "+1", "1e3", "0.00000001", ""):
        with pytest.raises(AmountError):
            parse_share(text)


def test_money_is_never_negative() -> None:
    with pytest.raises(AmountError):
        Money(-1, "USD")
