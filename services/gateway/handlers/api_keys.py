"""Make, list and revoke API keys."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from libs.common.contracts.replies.common import Page
from libs.common.kernel.clock import Clock, wire_time
from libs.common.kernel.ids import Tenant, sibling_id
from services.gateway.domain.access import GRANTABLE, Mode, Principal, Scope, tenant_of
from services.gateway.domain.api_keys import digest, hint, mint
from services.gateway.domain.errors import ApiError
from services.gateway.handlers.authenticate import Authenticator
from services.gateway.store.gathering import TROUBLE
from services.gateway.store.keys import ApiKeyRow, Keys

T = TypeVar("T")


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key in the public form; `key` itself is there only in the answer that made it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    marketplace: str
    mode: str
    hint: str
    status: str
    created_at: str
    revoked_at: str | None = None
    key: str | None = None


class ApiKeys:
    """The keys of a deployment. A support key rules over its own marketplace and mode; the master key over all."""

    def __init__(self, keys: Keys, authenticator: Authenticator, clock: Clock, *, pepper: bytes) -> None:
        """Keep keys in this store."""
        self._keys = keys
        self._authenticator = authenticator
        self._clock = clock
        self._pepper = pepper

    def tenant_for(self, principal: Principal, marketplace: str | None, mode: Mode | None) -> tuple[str, Mode]:
        """Return the (marketplace, mode) a request is about: the caller's own unless it says otherwise.

        Raises:
            ApiError: INSUFFICIENT_SCOPE, another tenant than the caller's own.
        """
        wanted = marketplace or principal.marketplace, mode or principal.mode
        if not principal.is_master and wanted != (principal.marketplace, principal.mode):
            raise ApiError("INSUFFICIENT_SCOPE", "Only the master key reaches other marketplaces and modes")
        return wanted

    async def create(
        self, principal: Principal, command_id: str, *, name: str, scopes: Sequence[Scope], marketplace: str, mode: Mode
    ) -> ApiKey:
        """Make a key; the same command id makes the same one.

        Raises:
            ApiError: INSUFFICIENT_SCOPE, the caller lacks a scope it wants to give; SERVICE_UNAVAILABLE.
        """
        missing = sorted(set(scopes) - principal.scopes)
        if missing:
            raise ApiError("INSUFFICIENT_SCOPE", "A key can't have scopes that its maker lacks", required_scope=missing[0])
        secret = mint(self._pepper, command_id, mode)
        row = ApiKeyRow(
            tenant=tenant_of(marketplace, mode),
            id=sibling_id("key", command_id),
            name=name,
            marketplace=marketplace,
            mode=mode,
            scopes=[scope for scope in GRANTABLE if scope in scopes],
            hint=hint(secret),
            digest=digest(self._pepper, secret),
            created_by=principal.key_id,
            created_at=self._clock.now(),
        )
        stored = await _answered(lambda: self._keys.insert(row))
        self._authenticator.forget()
        return _view(stored, key=secret)

    async def page(self, tenant: Tenant, *, limit: int, cursor: str | None) -> Page[ApiKey]:
        """List a tenant's keys, newest first; never the keys themselves."""
        rows = await _answered(lambda: self._keys.page(tenant, limit=limit + 1, cursor=cursor))
        more = len(rows) > limit
        return Page(tuple(_view(row) for row in rows[:limit]), more, rows[limit - 1].id if more else None)

    async def revoke(self, tenant: Tenant, key_id: str) -> ApiKey:
        """End a key: here at once, in every other process within a second.

        Raises:
            ApiError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
        """
        row = await _answered(lambda: self._keys.revoke(tenant, key_id, now=self._clock.now()))
        if row is None:
            raise ApiError("API_KEY_NOT_FOUND", key_id=key_id)
        self._authenticator.forget()
        return _view(row)


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await ask()
    except TROUBLE as error:
        raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error


def _view(row: ApiKeyRow, *, key: str | None = None) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes),
        marketplace=row.marketplace,
        mode=row.mode,
        hint=row.hint,
        status="active" if row.revoked_at is None else "revoked",
        created_at=wire_time(row.created_at),
        revoked_at=None if row.revoked_at is None else wire_time(row.revoked_at),
        key=key,
    )
