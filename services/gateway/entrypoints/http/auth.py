"""API keys, and who the caller is."""

from typing import Annotated, Literal

import msgspec
from fastapi import Body, Query
from pydantic import Field

from libs.common.kernel.ids import looks_like_id
from services.gateway.domain.access import Scope, tenant_of
from services.gateway.domain.answers import Answer, page, resource
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Calling, created
from services.gateway.entrypoints.http.fields import Fields, Marketplace, Name, PageQuery
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.api_keys import ApiKey

ModeName = Literal["live", "test"]


class NewApiKey(Fields):
    """A key for a marketplace and a mode; the caller's own unless it says otherwise."""

    name: Name
    scopes: Annotated[list[Literal["read", "write", "support"]], Field(min_length=1, max_length=3)]
    marketplace: Marketplace | None = None
    mode: ModeName | None = None


class ApiKeyQuery(PageQuery):
    """Whose keys."""

    marketplace: Marketplace | None = None
    mode: ModeName | None = None


class TenantQuery(Fields):
    """Whose key."""

    marketplace: Marketplace | None = None
    mode: ModeName | None = None


class Identity(msgspec.Struct, frozen=True):
    """Whom a key stands for."""

    api_key_id: str
    name: str
    marketplace: str
    mode: str
    scopes: tuple[str, ...]


async def create_api_key(call: Calling, body: Annotated[NewApiKey, Body()]) -> Answer:
    """Create an API key. The key itself is shown in this answer only."""
    keys, principal = call.use_cases.api_keys, call.principal
    marketplace, mode = keys.tenant_for(principal, body.marketplace, body.mode)
    scopes = [Scope(name) for name in body.scopes]

    async def run(command_id: str) -> Answer:
        key = await keys.create(principal, command_id, name=body.name, scopes=scopes, marketplace=marketplace, mode=mode)
        return created(msgspec.json.encode(key))

    return await call.once(run, window=DAY, storable=False)


async def list_api_keys(call: Calling, query: Annotated[ApiKeyQuery, Query()]) -> Answer:
    """List API keys, newest first; never the keys themselves."""
    keys = call.use_cases.api_keys
    tenant = tenant_of(*keys.tenant_for(call.principal, query.marketplace, query.mode))
    return page(msgspec.json.encode(await keys.page(tenant, limit=query.limit, cursor=query.cursor)))


async def revoke_api_key(call: Calling, key_id: str, query: Annotated[TenantQuery, Query()]) -> Answer:
    """Revoke an API key: every process refuses it within a second."""
    if not looks_like_id(key_id):
        raise ApiError("API_KEY_NOT_FOUND", key_id=key_id)
    keys = call.use_cases.api_keys
    tenant = tenant_of(*keys.tenant_for(call.principal, query.marketplace, query.mode))

    async def run(_: str) -> Answer:
        return resource(msgspec.json.encode(await keys.revoke(tenant, key_id)))

    return await call.once(run, window=DAY)


async def get_me(call: Calling) -> Answer:
    """Tell whom the key stands for."""
    who = call.principal
    scopes = tuple(scope.value for scope in Scope if scope in who.scopes)
    return resource(msgspec.json.encode(Identity(who.key_id, who.name, who.marketplace, who.mode, scopes)))


OPERATIONS = (
    Operation("POST", "/auth/api-keys", create_api_key, Scope.SUPPORT, ApiKey, status=201),
    Operation("GET", "/auth/api-keys", list_api_keys, Scope.READ, ApiKey, is_list=True),
    Operation("DELETE", "/auth/api-keys/{key_id}", revoke_api_key, Scope.SUPPORT, ApiKey),
    Operation("GET", "/me", get_me, Scope.ANY, Identity),
)
