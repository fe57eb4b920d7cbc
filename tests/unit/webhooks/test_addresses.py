"""Which addresses deliveries may go to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.domain.addresses import is_literal, is_odd_number, is_public

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "223.255.255.1", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860::8888"]
CLOSED = [
    "0.0.0.0",  # noqa: S104 - bound to nothing
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.2.1",
    "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "233.252.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "::8.8.8.8", "::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0",
    "2606:4700::1111%eth0", "fec0::1", "ff02::1", "ff0e::1",
    "", "localhost", "1.1.1", "01.1.1.1", "0x7f.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_what_anybody_may_reach_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", CLOSED)
def test_every_other_kind_of_address_is_not(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:{}", "::{}", "64:ff9b::{}", "::ffff:0:{}", "fe80::5efe:{}"]))
def test_no_ipv4_address_comes_in_disguise(address: object, disguise: str) -> None:
    assert not is_public(disguise.format(address))


@given(st.ip_addresses(v=4))
def test_an_address_in_its_usual_form_is_no_odd_number(address: object) -> None:
    assert is_literal(str(address))
    assert not is_odd_number(str(address))


@given(st.integers(min_value=0, max_value=2**32 - 1), st.sampled_from(["{}", "{:#x}", "0{:o}", "{:#X}"]))
def test_a_number_is_no_name(number: int, spelling: str) -> None:
    assert is_odd_number(spelling.format(number))


@pytest.mark.parametrize("host", ["example.com", "1.example", "127.0.0.1.example", "0x7f.example", "xn--fiqs8s", "abc.0xyz"])
def test_a_name_with_numbers_in_it_is_a_name(host: str) -> None:
    assert not is_odd_number(host)
