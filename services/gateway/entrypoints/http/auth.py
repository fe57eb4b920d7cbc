"""API keys, and who the caller is."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from fastapi import Body, Query
from pydantic import Field

from libs.common.contracts.replies.kinds import Instant as ShownInstant
from libs.common.contracts.replies.kinds import one_of
from libs.common.kernel.clock import wire_time
from libs.common.kernel.ids import Tenant
from services.gateway.domain.access import Mode, Scope, tenant_of
from services.gateway.domain.answers import Answer, page, resource
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples_of_ours import IDENTITY, NEW_KEY, REVOKED_KEY, ROTATED_KEY
from services.gateway.entrypoints.http.fields import WHOLE, AllowedIp, Fields, Instant, Marketplace, Name, PageQuery, example
from services.gateway.entrypoints.http.public import VERSION
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.api_keys import ApiKey, NewKey, ScopeName

OVERLAP_SECONDS: Final = 24 * 3600
OVERLAP_SECONDS_MAX: Final = 7 * 24 * 3600


class NewApiKey(Fields):
    """A key for a marketplace and a mode; the caller's own unless it says otherwise.

    Left out, `expires_at` and `allowed_ips` are the caller's own too: no key outlives the one that makes it, or is good in more
    places.
    """

    model_config = example(name="My Marketplace", scopes=["read", "write"])

    name: Name
    """What people know it by."""
    scopes: Annotated[list[Literal["read", "write", "support"]], Field(min_length=1, max_length=3)]
    """None contains another; a key can't give what it lacks."""
    marketplace: Marketplace | None = None
    """Only the master key reaches others than its own."""
    mode: Mode | None = None
    """Whether the key moves real money; only the master key reaches another than its own."""
    expires_at: Instant | None = None
    """When the key stops working."""
    allowed_ips: Annotated[list[AllowedIp], Field(max_length=100, default_factory=list)]
    """Addresses and ranges from which it may be used; none means everywhere."""


class Rotation(Fields):
    """How the new key takes over."""

    model_config = example(overlap_seconds=3600)

    overlap_seconds: Annotated[int, Field(ge=0, le=OVERLAP_SECONDS_MAX), WHOLE] = OVERLAP_SECONDS
    """How long the old key goes on beside the new one: from 0 seconds to 7 days."""


class ApiKeyQuery(PageQuery):
    """Whose keys."""

    marketplace: Marketplace | None = None
    """Another than the key's own; for the master key."""
    mode: Mode | None = None
    """Another than the key's own; for the master key."""


class TenantQuery(Fields):
    """Whose key."""

    marketplace: Marketplace | None = None
    """Another than the key's own; for the master key."""
    mode: Mode | None = None
    """Another than the key's own; for the master key."""


class Identity(msgspec.Struct, frozen=True):
    """Whom a key stands for, and until when."""

    api_key_id: str
    name: str
    marketplace: str
    mode: Annotated[str, one_of(Mode)]
    scopes: tuple[ScopeName, ...]
    expires_at: ShownInstant | None
    version: str


async def create_api_key(call: Calling, body: Annotated[NewApiKey, Body()]) -> Answer:
    """Create an API key.

    The key itself is shown in this answer only. It can't do more than the key that makes it: no other scopes, no longer
    life, no other addresses. With the master key it may be for any marketplace and mode.
    """
    keys, principal = call.use_cases.api_keys, call.principal
    marketplace, mode = keys.tenant_for(principal, body.marketplace, body.mode)
    new = NewKey(
        name=body.name,
        scopes=[Scope(name) for name in body.scopes],
        marketplace=marketplace,
        mode=mode,
        expires_at=None if body.expires_at is None else datetime.fromisoformat(body.expires_at),
        networks=body.allowed_ips,
    )

    async def run(command_id: str) -> Answer:
        return resource(msgspec.json.encode(await keys.create(principal, command_id, new)), status=call.success)

    return await call.once(run, window=DAY, storable=False)


async def list_api_keys(call: Calling, query: Annotated[ApiKeyQuery, Query()]) -> Answer:
    """List API keys.

    Newest first; never the keys themselves.
    """
    found = await call.use_cases.api_keys.page(_tenant(call, query), limit=query.limit, cursor=query.cursor)
    return page(msgspec.json.encode(found))


async def get_api_key(call: Calling, key_id: str, query: Annotated[TenantQuery, Query()]) -> Answer:
    """Get an API key.

    Never the key itself, but when it was last used.
    """
    return resource(msgspec.json.encode(await call.use_cases.api_keys.get(_tenant(call, query), key_id)))


async def rotate_api_key(
    call: Calling, key_id: str, query: Annotated[TenantQuery, Query()], body: Annotated[Rotation, Body()]
) -> Answer:
    """Rotate an API key.

    Makes a new key in the place of one, with its name, scopes and limits. The old one goes on for `overlap_seconds`, so
    that you can change over without a gap.
    """
    keys, principal = call.use_cases.api_keys, call.principal
    tenant, overlap = _tenant(call, query), timedelta(seconds=body.overlap_seconds)

    async def run(command_id: str) -> Answer:
        before = await keys.get(tenant, key_id)
        key = await keys.rotate(principal, command_id, tenant, key_id, overlap=overlap)
        return resource(msgspec.json.encode(key), status=call.success, before=msgspec.json.encode(before))

    return await call.once(run, window=DAY, storable=False)


async def revoke_api_key(call: Calling, key_id: str, query: Annotated[TenantQuery, Query()]) -> Answer:
    """Revoke an API key.

    Every process refuses it within a second. There is no way back.
    """
    keys, tenant = call.use_cases.api_keys, _tenant(call, query)

    async def run(_: str) -> Answer:
        before = await keys.get(tenant, key_id)
        return resource(msgspec.json.encode(await keys.revoke(tenant, key_id)), before=msgspec.json.encode(before))

    return await call.once(run, window=DAY)


async def get_me(call: Calling) -> Answer:
    """Tell whom the key stands for.

    Its marketplace, mode and scopes, and when it ends.
    """
    who = call.principal
    identity = Identity(
        api_key_id=who.key_id,
        name=who.name,
        marketplace=who.marketplace,
        mode=who.mode,
        scopes=tuple(scope.value for scope in Scope if scope in who.scopes),
        expires_at=None if who.ends_at is None else wire_time(who.ends_at),
        version=VERSION,
    )
    return resource(msgspec.json.encode(identity))


def _tenant(call: Calling, query: ApiKeyQuery | TenantQuery) -> Tenant:
    return tenant_of(*call.use_cases.api_keys.tenant_for(call.principal, query.marketplace, query.mode))


OPERATIONS = (
    Operation("POST", "/auth/api-keys", create_api_key, Scope.SUPPORT, ApiKey, status=201, shown=NEW_KEY, in_maintenance=True),
    Operation("GET", "/auth/api-keys", list_api_keys, Scope.READ, ApiKey, is_list=True),
    Operation("GET", "/auth/api-keys/{key_id}", get_api_key, Scope.READ, ApiKey),
    Operation(
        "DELETE", "/auth/api-keys/{key_id}", revoke_api_key, Scope.SUPPORT, ApiKey, shown=REVOKED_KEY, in_maintenance=True
    ),
    Operation(
        "POST", "/auth/api-keys/{key_id}/rotate", rotate_api_key, Scope.SUPPORT, ApiKey, status=201, shown=ROTATED_KEY,
        codes=("INVALID_STATE",), in_maintenance=True,
    ),
    Operation("GET", "/me", get_me, Scope.ANY, Identity, shown=IDENTITY),
)  # fmt: skip
