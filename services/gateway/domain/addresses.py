"""Where a request comes from: the peer, or whom a trusted proxy says it speaks for."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SITE_BITS: Final = 64
"""What one IPv6 subscriber is given: every address in it is the same caller."""


def parse_network(text: str) -> Network:
    """Read an address or a CIDR range.

    Raises:
        ValueError: the message says what to write instead.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("write an address or a range, for example 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32") from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError("write an IPv4-mapped address as the IPv4 address")
    if "/" in text and ip_address(text.partition("/")[0]) != network.network_address:
        raise ValueError(f"the range has bits beyond its prefix: write {network}")
    return network


def spell_network(network: Network) -> str:
    """Write a network as it is stored and shown: one address without its prefix."""
    return str(network.network_address if network.num_addresses == 1 else network)


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Read an address, with or without a port, as it stands in X-Forwarded-For; None for anything else."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: Address | None, networks: Sequence[Network]) -> bool:
    """Tell whether an address lies in one of the networks; an unknown one lies nowhere."""
    return address is not None and any(address in network for network in networks)


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> Address | None:
    """Return who sent a request: the last one in the chain that is no proxy of ours; None when that can't be told.

    `forwarded` is X-Forwarded-For, to which each proxy appends whom it heard. It counts only from a trusted peer, and only back
    to the first stranger: whatever stands before that the stranger may have made up.
    """
    address = parse_address(peer)
    if not forwarded or not is_within(address, trusted):
        return address
    for hop in reversed(forwarded.split(",")):
        address = parse_address(hop)
        if not is_within(address, trusted):
            return address
    return address


@lru_cache(maxsize=4096)
def origin(address: Address | None) -> str:
    """Name whom requests are counted for: an IPv4 address, or the /64 of an IPv6 one."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE_BITS), strict=False))
    return str(address)


def is_narrower(networks: Sequence[Network], outer: Sequence[Network]) -> bool:
    """Tell whether whoever is in `networks` is in `outer` too; no outer networks means everywhere."""
    return not outer or (bool(networks) and all(any(_covers(wide, narrow) for wide in outer) for narrow in networks))


def _covers(wide: Network, narrow: Network) -> bool:
    return wide.version == narrow.version and wide.supernet_of(narrow)  # type: ignore[arg-type] # the versions are equal
