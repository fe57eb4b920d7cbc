"""Tell whom a request acts for, from its Authorization header alone."""

import asyncio
import hmac
from typing import Final

from services.gateway.domain.access import Principal, master
from services.gateway.domain.api_keys import digest, is_well_formed
from services.gateway.domain.errors import ApiError
from services.gateway.store.gathering import Gathering, StoreUnavailableError
from services.gateway.store.keys import Keys

CACHE_SECONDS: Final = 1.0
"""How long a revoked key may still be accepted by a process that has just seen it."""
_CACHE_ENTRIES_MAX: Final = 10_000
_SCHEME: Final = "bearer "


class Authenticator:
    """Knows the master key, and looks API keys up by their keyed hash."""

    def __init__(self, keys: Keys, *, pepper: bytes, master_key: str) -> None:
        """Accept this master key and the keys of this store."""
        self._pepper = pepper
        self._master = digest(pepper, master_key)
        self._find: Gathering[bytes, Principal | None] = Gathering(keys.find)
        self._seen: dict[bytes, tuple[float, Principal | None]] = {}
        self._principal = master()

    async def identify(self, authorization: str | None) -> Principal | None:
        """Return whom the header stands for, or None when it stands for nobody.

        Raises:
            ApiError: SERVICE_UNAVAILABLE, the database can't be asked now.
        """
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            return None
        text = authorization[len(_SCHEME) :].strip()
        hashed = digest(self._pepper, text)
        if hmac.compare_digest(hashed, self._master):
            return self._principal
        if not is_well_formed(text):
            return None
        now = asyncio.get_running_loop().time()
        seen = self._seen.get(hashed)
        if seen is not None and now < seen[0]:
            return seen[1]
        return await self._look_up(hashed, now)

    def forget(self) -> None:
        """Look every key up anew: one was revoked here."""
        self._seen.clear()

    async def _look_up(self, hashed: bytes, now: float) -> Principal | None:
        try:
            principal = await self._find.add(hashed)
        except StoreUnavailableError as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        if len(self._seen) >= _CACHE_ENTRIES_MAX:
            self._seen.clear()
        self._seen[hashed] = (now + CACHE_SECONDS, principal)
        return principal
