"""Make, show, rotate and revoke API keys."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

import msgspec

from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.kinds import Instant, KeyId, one_of, shown
from libs.common.kernel.clock import Clock, wire_time
from libs.common.kernel.ids import Tenant, sibling_id
from libs.common.messaging.lists import page_of
from libs.common.persistence.gathering import TROUBLE
from libs.common.persistence.pages import Bounds
from services.gateway.domain.access import GRANTABLE, Mode, Principal, Scope, tenant_of
from services.gateway.domain.addresses import Network
from services.gateway.domain.api_keys import digest, hint, mint
from services.gateway.domain.errors import ApiError
from services.gateway.domain.key_records import KeyRecord, KeyStatus, check_not_more, expiry_under, networks_under
from services.gateway.handlers.authenticate import Authenticator
from services.gateway.store.keys import Keys

T = TypeVar("T")
ScopeName = Annotated[str, shown(enum=[str(scope) for scope in GRANTABLE])]


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key in the public form; `key` itself is there only in the answer that made it.

    `retires_at` is when a key that `replaced_by` replaces stops working. `last_used_at` is right to a minute or two.
    """

    id: KeyId
    name: str
    scopes: tuple[ScopeName, ...]
    marketplace: str
    mode: Annotated[str, one_of(Mode)]
    hint: str
    status: Annotated[str, shown(enum=[str(status) for status in KeyStatus])]
    created_at: Instant
    allowed_ips: tuple[str, ...] = ()
    expires_at: Instant | None = None
    replaced_by: KeyId | None = None
    retires_at: Instant | None = None
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None
    replaces: KeyId | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a caller asks for; what it leaves out is as its own key has it."""

    name: str
    scopes: Sequence[Scope]
    marketplace: str
    mode: Mode
    expires_at: datetime | None
    networks: Sequence[Network]


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
            message = "Only the master key reaches other marketplaces and modes"
            raise ApiError("INSUFFICIENT_SCOPE", message, required_scope="master", current_scopes=sorted(principal.scopes))
        return wanted

    async def create(self, principal: Principal, command_id: str, new: NewKey) -> ApiKey:
        """Make a key; the same command id makes the same one.

        Raises:
            ApiError: INSUFFICIENT_SCOPE, the caller lacks a scope it wants to give; VALIDATION_ERROR, the key would outlive its
                maker or be good where its maker is not; SERVICE_UNAVAILABLE.
        """
        now = self._clock.now()
        secret = mint(self._pepper, command_id, new.mode)
        record = KeyRecord(
            tenant=tenant_of(new.marketplace, new.mode),
            id=sibling_id("key", command_id),
            name=new.name,
            marketplace=new.marketplace,
            mode=new.mode,
            scopes=[scope for scope in GRANTABLE if scope in new.scopes],
            hint=hint(secret),
            digest=digest(self._pepper, secret),
            allowed_ips=networks_under(principal, new.networks),
            created_by=principal.key_id,
            created_at=now,
            expires_at=expiry_under(principal, new.expires_at, now),
        )
        check_not_more(principal, record)
        stored = await _answered(lambda: self._keys.insert(record))
        self._authenticator.forget()
        return _made(stored, secret)

    async def get(self, tenant: Tenant, key_id: str) -> ApiKey:
        """Show a key; never the key itself.

        Raises:
            ApiError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
        """
        return _view(await self._known(tenant, key_id), self._clock.now())

    async def page(self, tenant: Tenant, *, limit: int, cursor: str | None) -> Page[msgspec.Raw]:
        """List a tenant's keys, newest first; never the keys themselves."""
        records = await _answered(lambda: self._keys.page(tenant, Bounds(limit, cursor)))
        now = self._clock.now()
        return page_of(((record.id, _view(record, now)) for record in records), limit=limit)

    async def revoke(self, tenant: Tenant, key_id: str) -> ApiKey:
        """End a key: here at once, in every other process within a second.

        Raises:
            ApiError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
        """
        now = self._clock.now()
        record = await _answered(lambda: self._keys.revoke(tenant, key_id, now=now))
        if record is None:
            raise ApiError("API_KEY_NOT_FOUND", key_id=key_id)
        self._authenticator.forget()
        return _view(record, now)

    async def rotate(self, principal: Principal, command_id: str, tenant: Tenant, key_id: str, *, overlap: timedelta) -> ApiKey:
        """Put a new key in a key's place; the old one goes on for `overlap`. The same command id makes the same new key.

        Raises:
            ApiError: API_KEY_NOT_FOUND; INSUFFICIENT_SCOPE, the new key would be more than the caller's own; INVALID_STATE, the
                key has ended or been replaced already; SERVICE_UNAVAILABLE.
        """
        now = self._clock.now()
        old = await self._known(tenant, key_id)
        check_not_more(principal, old)
        secret = mint(self._pepper, command_id, old.principal().mode)
        new = replace(
            old,
            id=sibling_id("key", command_id),
            hint=hint(secret),
            digest=digest(self._pepper, secret),
            created_by=principal.key_id,
            created_at=now,
            last_used_at=None,
        )
        stored = await self._replace(old, new, retires_at=now + overlap, now=now)
        self._authenticator.forget()
        return _made(stored, secret, replaces=key_id)

    async def _replace(self, old: KeyRecord, new: KeyRecord, *, retires_at: datetime, now: datetime) -> KeyRecord:
        stored = None
        if old.status(now) is KeyStatus.ACTIVE:
            stored = await _answered(lambda: self._keys.replace(old.id, new, retires_at=retires_at, now=now))
        if stored is not None:
            return stored
        left = await self._known(old.tenant, old.id)
        if left.replaced_by == new.id:
            return await self._known(new.tenant, new.id)
        state = left.status(now)
        message = f"The key is {state}: only an active key can be rotated"
        raise ApiError("INVALID_STATE", message, key_id=old.id, current_state=state, allowed_states=[KeyStatus.ACTIVE])

    async def _known(self, tenant: Tenant, key_id: str) -> KeyRecord:
        record = await _answered(lambda: self._keys.get(tenant, key_id))
        if record is None:
            raise ApiError("API_KEY_NOT_FOUND", key_id=key_id)
        return record


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await ask()
    except TROUBLE as error:
        raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error


def _made(record: KeyRecord, key: str, *, replaces: str | None = None) -> ApiKey:
    """Show a key as it was when it was made, whatever has become of it: a repeat is answered with the same bytes."""
    young = replace(record, replaced_by=None, retires_at=None, revoked_at=None, last_used_at=None)
    return msgspec.structs.replace(_view(young, record.created_at), key=key, replaces=replaces)


def _view(record: KeyRecord, now: datetime) -> ApiKey:
    return ApiKey(
        id=record.id,
        name=record.name,
        scopes=tuple(record.scopes),
        marketplace=record.marketplace,
        mode=record.mode,
        hint=record.hint,
        status=record.status(now),
        created_at=wire_time(record.created_at),
        allowed_ips=tuple(record.allowed_ips),
        expires_at=_wire(record.expires_at),
        replaced_by=record.replaced_by,
        retires_at=_wire(record.retires_at),
        revoked_at=_wire(record.revoked_at),
        last_used_at=_wire(record.last_used_at),
    )


def _wire(instant: datetime | None) -> str | None:
    return None if instant is None else wire_time(instant)
