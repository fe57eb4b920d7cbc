"""What a user is told to pay to is what Stellar's own library reads."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import MuxedAccount
from stellar_sdk.sep.stellar_uri import PayStellarUri

from services.payouts.clients import qr
from services.payouts.domain.deposit_address import Address, memo_of, payment_uri
from tests.support.chain import PASSPHRASE, address

PUBLIC = "Public Global Stellar Network ; September 2015"
NUMBERS = st.integers(0, 2**63 - 1)


@given(NUMBERS)
def test_an_address_with_a_number_is_the_one_stellars_own_library_makes(number: int) -> None:
    assert Address(address("treasury"), number).muxed == MuxedAccount(address("treasury"), number).account_muxed


@pytest.mark.parametrize("memo", [None, 7])
def test_the_link_says_whom_to_pay_in_what_and_for_whom(memo: int | None) -> None:
    uri = payment_uri(Address(address("ana"), memo), usdc_issuer=address("issuer"), passphrase=PASSPHRASE)
    read = PayStellarUri.from_uri(uri)
    assert (read.destination, read.asset_issuer, read.network_passphrase) == (
        address("ana"),
        address("issuer"),
        PASSPHRASE,
    )
    assert (read.memo, read.memo_type) == ((None, None) if memo is None else (memo, "MEMO_ID"))


def test_the_public_network_goes_without_saying() -> None:
    uri = payment_uri(Address(address("ana"), None), usdc_issuer=address("issuer"), passphrase=PUBLIC)
    assert "network_passphrase" not in uri
    assert PayStellarUri.from_uri(uri).destination == address("ana")


def test_numbers_are_wide_apart_and_stay() -> None:
    assert len({memo_of("acme:live", f"wal_{each}") for each in range(1_000)}) == 1_000
    assert memo_of("a:live", "wal_1") == 5991384198311758999


async def test_a_code_is_an_image_that_scales() -> None:
    drawing = ET.fromstring(await qr.draw("web+stellar:pay?destination=G"))  # noqa: S314 - our own
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert "viewBox" in drawing.attrib
    assert "width" not in drawing.attrib
