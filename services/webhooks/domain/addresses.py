"""Which addresses a delivery may be sent to: those of the public Internet, and no other."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network
from typing import Final

_UNICAST: Final = IPv6Network("2000::/3")
"""All that has been handed out of IPv6: mapped, NAT64, local, site-local and multicast addresses lie outside."""
_CLOSED: Final = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: holds an IPv4 address, of a private network as it may be
        "3fff::/20",  # documentation
    )
)


@lru_cache(maxsize=4_096)
def is_public(text: str) -> bool:
    """Tell whether an address as a resolver or a socket spells it is one that anybody may reach; text that is none is not."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if not isinstance(address, IPv4Address) and (address not in _UNICAST or address.scope_id is not None):
        return False
    return not any(address.version == network.version and address in network for network in _CLOSED)


def is_odd_number(host: str) -> bool:
    """Tell whether a host is a number that some resolvers read as an IPv4 address, though it is not spelt as one.

    As in the URL standard a host whose last label is a number, decimal or hexadecimal, is meant as an address.
    """
    if ":" in host:
        return False
    last = host.rstrip(".").rpartition(".")[2].lower()
    if not (last.isdigit() or (last.startswith("0x") and all(digit in "0123456789abcdef" for digit in last[2:]))):
        return False
    try:
        return str(IPv4Address(host)) != host
    except ValueError:
        return True


def is_literal(host: str) -> bool:
    """Tell whether a host is an address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
