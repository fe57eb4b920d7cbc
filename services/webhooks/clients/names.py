"""Names of hosts and the addresses behind them: deliveries go to addresses that were looked at, and to no others."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from services.webhooks.domain.addresses import is_public

LookUp = Callable[[str], Awaitable[list[str]]]
"""Returns the addresses of a name, best first. Raises OSError."""
AddressInfo = tuple[int, int, int, str, tuple[str | int, ...]]
"""An address as `getaddrinfo` tells it; the last field begins with the address itself."""
_THREADS: Final = 64
"""A look-up blocks its thread, for many seconds when a name server is silent; the loop's own pool is too small for that."""


class AddressRefusedError(OSError):
    """A name leads to an address that is not public."""


def system_look_up() -> LookUp:
    """Ask the system's resolver, on threads of its own."""
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    def ask(host: str) -> list[str]:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    async def look_up(host: str) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(threads, ask, host)

    return look_up


class CheckedResolver(AbstractResolver):
    """Resolves a name only when every address of it is public: one that is not says that somebody plays with the name."""

    def __init__(self, look_up: LookUp, *, allow_private: bool) -> None:
        """Look names up this way."""
        self._look_up = look_up
        self._allow_private = allow_private

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Return the addresses to dial.

        Raises:
            AddressRefusedError: one of them is not public. OSError: there are none.
        """
        addresses = await self._look_up(host)
        for address in addresses:
            if not (self._allow_private or is_public(address)):
                raise AddressRefusedError(f"{host} leads to {address}")
        kinds = ((socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=flags)
            for kind, address in kinds
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def public_socket(info: AddressInfo) -> socket.socket:
    """Make the socket for an address: the last word, on what is dialled indeed, whichever way it came here.

    Raises:
        AddressRefusedError: the address is not public.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise AddressRefusedError(f"{address[0]} is not public")
    return socket.socket(family, kind, protocol)
