from hypothesis import given
from hypothesis import strategies as st

from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import BASIS_POINTS, MAX_STROOPS
from services.escrow.domain.shares import Shares, all_to_buyer, all_to_seller, split

AMOUNTS = st.integers(1, MAX_STROOPS)
FEES = st.integers(0, BASIS_POINTS)


def whole(shares: Shares) -> int:
    assert min(shares.seller, shares.fee, shares.buyer) >= 0
    return shares.seller + shares.fee + shares.buyer


@given(AMOUNTS, FEES)
def test_a_release_gives_away_the_whole_and_never_rounds_the_fee_up(amount: int, fee_bps: int) -> None:
    shares = all_to_seller(amount, fee_bps=fee_bps)
    assert whole(shares) == amount
    assert shares.fee * BASIS_POINTS <= amount * fee_bps < (shares.fee + 1) * BASIS_POINTS


@given(AMOUNTS)
def test_a_refund_costs_no_fee(amount: int) -> None:
    assert all_to_buyer(amount) == Shares(0, 0, amount)


@given(AMOUNTS, FEES, st.data())
def test_a_split_is_exact_and_its_fee_comes_from_the_sellers_part(amount: int, fee_bps: int, data: st.DataObject) -> None:
    release = data.draw(st.integers(0, amount))
    shares = split(amount, release=release, refund=amount - release, fee_bps=fee_bps)
    assert isinstance(shares, Shares)
    assert whole(shares) == amount
    assert (shares.released, shares.buyer) == (release, amount - release)


@given(AMOUNTS, st.integers(-MAX_STROOPS, MAX_STROOPS), st.integers(-MAX_STROOPS, MAX_STROOPS))
def test_parts_that_are_not_the_whole_are_refused(amount: int, release: int, refund: int) -> None:
    shares = split(amount, release=release, refund=refund, fee_bps=0)
    fits = release >= 0 and refund >= 0 and release + refund == amount
    assert isinstance(shares, Shares) == fits
    if isinstance(shares, Refusal):
        assert shares.code == "INVALID_AMOUNT"
