from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.gateway.domain.addresses import (
    client_address,
    is_narrower,
    is_within,
    origin,
    parse_address,
    parse_network,
    spell_network,
)
from services.gateway.settings import GatewaySettings

PROXIES = (parse_network("10.0.0.0/8"), parse_network("fd00::/8"))
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_an_address_or_a_range_is_read_and_shown_in_one_form(text: str, shown: str) -> None:
    assert spell_network(parse_network(text)) == shown


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("10.0.0.5/8", "10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::ffff:192.0.2.1", "IPv4 address"),
        ("10.0.0", "for example"),
        ("example.com", "for example"),
        ("10.0.0.1/33", "for example"),
        ("", "for example"),
        (" ", "for example"),
    ],
)
def test_what_is_neither_says_what_to_write(text: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        parse_network(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:443", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("unknown", "None"),
        ("192.0.2.1, 192.0.2.2", "None"),
        ("", "None"),
    ],
)
def test_an_address_is_read_as_proxies_write_it(text: str, address: str) -> None:
    assert str(parse_address(text)) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2, fd00::7", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.9, unknown", "None"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("", "203.0.113.9", "None"),
    ],
)
def test_only_a_trusted_proxy_says_whom_it_speaks_for(peer: str, forwarded: str, client: str) -> None:
    assert str(client_address(peer, forwarded, PROXIES)) == client


@given(
    made_up=st.lists(ADDRESSES, max_size=4), caller=ADDRESSES, hops=st.lists(st.ip_addresses(network="10.0.0.0/8"), max_size=3)
)
def test_a_caller_can_not_choose_its_address(
    made_up: list[IPv4Address | IPv6Address], caller: IPv4Address | IPv6Address, hops: list[IPv4Address]
) -> None:
    if is_within(parse_address(str(caller)), PROXIES):
        return
    chain = ", ".join(map(str, [*made_up, caller, *hops]))
    assert client_address("10.9.9.9", chain, PROXIES) == parse_address(str(caller))
    assert client_address(str(caller), chain, PROXIES) == parse_address(str(caller))


def test_an_unknown_address_is_in_no_network() -> None:
    assert not is_within(None, [parse_network("0.0.0.0/0"), parse_network("::/0")])


def test_requests_are_counted_for_an_address_or_for_the_network_of_a_subscriber() -> None:
    assert origin(ip_address("192.0.2.1")) == "192.0.2.1"
    assert origin(ip_address("2001:db8::1")) == origin(ip_address("2001:db8::ffff:1")) == "2001:db8::/64"
    assert origin(ip_address("2001:db8:0:1::1")) != origin(ip_address("2001:db8::1"))
    assert origin(None) not in {origin(ip_address("192.0.2.1")), ""}


@pytest.mark.parametrize(
    ("inner", "outer", "narrower"),
    [
        ([], [], True),
        (["192.0.2.1"], [], True),
        ([], ["192.0.2.1"], False),
        (["192.0.2.1"], ["192.0.2.0/24"], True),
        (["192.0.2.0/24"], ["192.0.2.1"], False),
        (["192.0.2.1", "2001:db8::1"], ["192.0.2.0/24"], False),
        (["192.0.2.1", "2001:db8::1"], ["192.0.2.0/24", "2001:db8::/32"], True),
        (["2001:db8::/32"], ["0.0.0.0/0"], False),
    ],
)
def test_narrower_is_everywhere_inside(inner: list[str], outer: list[str], narrower: bool) -> None:  # noqa: FBT001
    assert is_narrower(list(map(parse_network, inner)), list(map(parse_network, outer))) is narrower


@given(inner=st.lists(ADDRESSES, min_size=1, max_size=3), outer=st.lists(ADDRESSES, max_size=3), at=ADDRESSES)
def test_whoever_is_inside_the_narrower_is_inside_the_wider(
    inner: list[IPv4Address | IPv6Address], outer: list[IPv4Address | IPv6Address], at: IPv4Address | IPv6Address
) -> None:
    narrow = [parse_network(str(address)) for address in inner if getattr(address, "ipv4_mapped", None) is None]
    wide = [parse_network(str(address)) for address in [*outer, *inner] if getattr(address, "ipv4_mapped", None) is None]
    if narrow:
        assert is_narrower(narrow, wide)
        assert not is_within(at, narrow) or is_within(at, wide)


def test_trusted_proxies_are_named_in_a_list_and_there_are_none_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://")
    monkeypatch.setenv("OFFERHUB_MASTER_KEY", "k" * 16)
    assert GatewaySettings.read().trusted_proxies == ()
    monkeypatch.setenv("OFFERHUB_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,")
    assert GatewaySettings.read().trusted_proxies == (parse_network("10.0.0.0/8"), parse_network("192.0.2.1"))
    monkeypatch.setenv("OFFERHUB_TRUSTED_PROXIES", "everybody")
    with pytest.raises(ValidationError, match="OFFERHUB_TRUSTED_PROXIES"):
        GatewaySettings.read()
