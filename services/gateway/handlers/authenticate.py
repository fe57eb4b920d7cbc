"""Tell whom a request acts for, from its Authorization header and where it comes from."""

import asyncio
import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Counter

from libs.common.kernel.clock import Clock
from libs.common.persistence.gathering import Gathering, StoreUnavailableError
from services.gateway.clients.attempts import Attempts
from services.gateway.domain.access import MASTER_ID, NOBODY, Denial, Denied, Principal, master
from services.gateway.domain.addresses import Address, is_within, origin
from services.gateway.domain.api_keys import digest, is_well_formed
from services.gateway.domain.errors import ApiError
from services.gateway.domain.key_records import KeyRecord, judge
from services.gateway.store.key_uses import KeyUses
from services.gateway.store.keys import KeyName, Keys

CACHE_SECONDS: Final = 0.5
"""How long a key that was just revoked may still be accepted by a process that has just seen it."""
_CACHE_ENTRIES_MAX: Final = 10_000
_SCHEME: Final = "bearer "

DENIED = Counter("offerhub_auth_denied_total", "Requests that act for nobody, by reason", ["reason"])


@dataclass(frozen=True, slots=True)
class _Seen:
    until: float
    verdict: Principal | Denial
    vouched: set[str] = field(default_factory=set)
    """The origins for which somebody has vouched since."""


class Authenticator:
    """Knows the master key, and looks API keys up by their keyed hash."""

    def __init__(
        self, keys: Keys, uses: KeyUses, attempts: Attempts | None, clock: Clock, *, pepper: bytes, master_key: str
    ) -> None:
        """Accept this master key and the keys of this store; without `attempts` nobody is blocked."""
        self._pepper = pepper
        self._master = digest(pepper, master_key)
        self._keys = keys
        self._find: Gathering[bytes, KeyRecord | None] = Gathering(keys.find)
        self._uses = uses
        self._attempts = attempts
        self._clock = clock
        self._seen: dict[bytes, _Seen] = {}
        self._principal = master()

    async def identify(self, authorization: str | None, address: Address | None) -> Principal | Denied:
        """Return whom the header stands for when it is sent from this address, or why for nobody; count failures.

        Raises:
            ApiError: SERVICE_UNAVAILABLE, the database can't be asked now.
        """
        if authorization is None:
            return NOBODY
        text = _token(authorization)
        hashed = digest(self._pepper, text)
        if self._attempts is not None:
            wait = self._attempts.wait(origin(address))
            if wait and not await self._attempts.is_known(origin(address), _name(hashed)):
                DENIED.labels(Denial.BLOCKED).inc()
                return Denied(Denial.BLOCKED, retry_after=wait)
        verdict = await self._judge(text, hashed, address)
        if not isinstance(verdict, Principal):
            return await self._deny(verdict, address)
        if self._attempts is not None:
            await self._vouch(self._attempts, hashed, origin(address))
        return verdict

    async def ended(self, names: Collection[KeyName]) -> set[KeyName]:
        """Return which keys that were good are revoked, over or gone; from now on they are refused here. The others are in use.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: the database can't be asked now.
        """
        watched = [name for name in names if name[1] != MASTER_ID]
        if not watched:
            return set()
        now = self._clock.now()
        ended = await self._keys.ended(watched, now=now)
        if ended:
            self.forget()
        for name in watched:
            if name not in ended:
                self._uses.note(*name, now)
        return ended

    def forget(self) -> None:
        """Look every key up anew: one was changed here."""
        self._seen.clear()

    async def _judge(self, text: str, hashed: bytes, address: Address | None) -> Principal | Denial:
        if hmac.compare_digest(hashed, self._master):
            return self._principal
        seen = self._seen.get(hashed)
        if seen is None or seen.until <= asyncio.get_running_loop().time():
            if not is_well_formed(text):
                return Denial.MALFORMED
            seen = await self._look_up(hashed)
        verdict = seen.verdict
        if isinstance(verdict, Principal) and verdict.networks and not is_within(address, verdict.networks):
            return Denial.ADDRESS
        return verdict

    async def _vouch(self, attempts: Attempts, hashed: bytes, place: str) -> None:
        """Let a key be known where it was good: asked once for each look-up and origin."""
        seen = self._seen.get(hashed)
        if seen is None or place not in seen.vouched:
            await attempts.vouch(place, _name(hashed))
        if seen is not None:
            seen.vouched.add(place)

    async def _deny(self, denial: Denial, address: Address | None) -> Denied:
        DENIED.labels(denial).inc()
        if denial is Denial.ADDRESS:
            return Denied(denial, address=str(address))
        wait = 0 if self._attempts is None else await self._attempts.fail(origin(address))
        return Denied(Denial.BLOCKED, retry_after=wait) if wait else Denied(denial)

    async def _look_up(self, hashed: bytes) -> _Seen:
        asked_at = asyncio.get_running_loop().time()
        try:
            record = await self._find.add(hashed)
        except StoreUnavailableError as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        now = self._clock.now()
        left = CACHE_SECONDS
        if record is not None and record.ends_at is not None and record.ends_at > now:
            left = min(left, (record.ends_at - now).total_seconds())
        seen = _Seen(asked_at + left, judge(record, now))
        if record is not None and isinstance(seen.verdict, Principal):
            self._uses.note(record.tenant, record.id, now)
        if len(self._seen) >= _CACHE_ENTRIES_MAX:
            self._seen.clear()
        self._seen[hashed] = seen
        return seen


def _token(authorization: str) -> str:
    """Cut the token out of a bearer header; of any other scheme nothing is left."""
    scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
    return token.strip() if scheme.lower() == _SCHEME else ""


def _name(hashed: bytes) -> str:
    """Name a key outside the database: half of its hash tells it from all others."""
    return hashed[:16].hex()
