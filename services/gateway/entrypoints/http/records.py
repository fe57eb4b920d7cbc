"""What was recorded: single requests, and who changed what."""

from typing import Annotated, Literal

import msgspec
from fastapi import Query

from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, page, resource
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import Id, Instant, Name, PageQuery
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.read_records import AuditEntry, AuditFilter, ChainHead, RecordedRequest, Result


class AuditQuery(PageQuery):
    """Filters of the audit log."""

    resource_id: Id | None = None
    """Only what concerned this user, order, dispute, endpoint or key."""
    resource_type: Literal["user", "order", "dispute", "webhook", "api_key", "withdrawal", "topup"] | None = None
    """Only what concerned such."""
    action: Name | None = None
    """Only this operation, by its `operationId`."""
    api_key_id: Name | None = None
    """Only what this key did."""
    result: Result | None = None
    """Only what succeeded, or what failed."""
    created_after: Instant | None = None
    """Only requests made at this instant or later; a date means its first moment, UTC."""
    created_before: Instant | None = None
    """Only requests made before this instant."""


async def get_request(call: Calling, request_id: str) -> Answer:
    """Get a recorded request.

    A request and its answer, by our id or by the X-Request-ID it came with. Requests that change something are recorded
    within a second, reads by sample only. Secrets are never recorded, e-mail addresses are masked.
    """
    return resource(msgspec.json.encode(await call.use_cases.records.get(call.tenant, request_id)))


async def list_audit_logs(call: Calling, query: Annotated[AuditQuery, Query()]) -> Answer:
    """List who changed what.

    Newest first. Filters combine. A page with few matches may be shorter than its limit and still have a next one.
    """
    wanted = AuditFilter(**query.model_dump(exclude={"limit", "cursor"}))
    found = await call.use_cases.records.audit(call.tenant, wanted, limit=query.limit, cursor=query.cursor)
    return page(msgspec.json.encode(found))


async def get_audit_head(call: Calling) -> Answer:
    """Get the head of the audit chain.

    The last link of the chain of hashes that seals all records: kept elsewhere, it makes a later rewrite visible.
    """
    return resource(msgspec.json.encode(await call.use_cases.records.head()))


OPERATIONS = (
    Operation("GET", "/requests/{request_id}", get_request, Scope.READ, RecordedRequest),
    Operation("GET", "/audit/logs", list_audit_logs, Scope.READ, AuditEntry, is_list=True),
    Operation("GET", "/audit/head", get_audit_head, Scope.READ, ChainHead),
)
