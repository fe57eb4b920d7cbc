"""Show what was recorded of a request, and who changed what."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.kinds import Instant, one_of, shown
from libs.common.kernel.clock import wire_time
from libs.common.kernel.ids import Tenant, first_id_at
from libs.common.persistence.gathering import TROUBLE
from services.gateway.domain.errors import ApiError
from services.gateway.domain.records import RESOURCES, change_of, masked, resource_type
from services.gateway.store.records import Range, RecordRow, RecordStore

T = TypeVar("T")
Result = Literal["SUCCESS", "FAILURE"]

LOOKED_AT_MAX: Final = 2_000
"""Records that one page of the audit log looks at: a filter that fits few of them gets short pages, not slow ones."""
_LAST: Final = "req_~"  # sorts after every id


class RecordedRequest(msgspec.Struct, frozen=True):
    """A request and its answer. Secrets are never recorded, e-mail addresses are masked."""

    id: str
    request_id: str
    api_key_id: str
    idempotency_key: str | None
    method: str
    path: str
    query: str
    operation: str
    address: str
    state: str
    status: int | None
    code: str | None
    resource_id: str | None
    started_at: Instant
    completed_at: Instant | None
    duration_ms: int | None
    request: Any
    before: Any
    response: Any


class Actor(msgspec.Struct, frozen=True):
    """Whose key it was, and from where."""

    api_key_id: str
    address: str


class AuditEntry(msgspec.Struct, frozen=True):
    """One attempt to change something: CREATE, UPDATE or DELETE, with SUCCESS or FAILURE."""

    id: str
    request_id: str
    occurred_at: Instant
    actor: Actor
    action: str
    change: Annotated[str, one_of(Literal["CREATE", "UPDATE", "DELETE"])]
    resource_type: Annotated[str, shown(enum=list(RESOURCES.values()))] | None
    resource_id: str | None
    result: Annotated[str, one_of(Result)]
    status: int
    code: str | None
    before: Any
    after: Any
    batch_id: str | None


class ChainHead(msgspec.Struct, frozen=True):
    """The last batch of records: its hash (SHA-256, hexadecimal) covers everything before it."""

    position: int
    hash: Annotated[str, shown(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which changes to show; what is None does not matter."""

    resource_id: str | None = None
    resource_type: str | None = None
    action: str | None = None
    api_key_id: str | None = None
    result: str | None = None
    created_after: str | None = None
    created_before: str | None = None


class Records:
    """What the records tell."""

    def __init__(self, store: RecordStore) -> None:
        """Read this store."""
        self._store = store

    async def get(self, tenant: Tenant, request_id: str) -> RecordedRequest:
        """Show one request.

        Raises:
            ApiError: REQUEST_NOT_FOUND, SERVICE_UNAVAILABLE.
        """
        row = await _answered(lambda: self._store.get(tenant, request_id))
        if row is None:
            raise ApiError("REQUEST_NOT_FOUND", request_id=request_id)
        return _request(row)

    async def head(self) -> ChainHead:
        """Show the head of the chain.

        Raises:
            ApiError: SERVICE_UNAVAILABLE.
        """
        position, found = await _answered(self._store.head)
        return ChainHead(position, found.hex())

    async def audit(self, tenant: Tenant, wanted: AuditFilter, *, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """List changes, newest first. A page may be shorter than its limit and still have a next one.

        Raises:
            ApiError: SERVICE_UNAVAILABLE.
        """
        until = min(cursor or _LAST, _bound(wanted.created_before) or _LAST)
        span = Range(_bound(wanted.created_after) or "", until, wanted.resource_id)
        rows = await _answered(lambda: self._store.page(tenant, span, limit=LOOKED_AT_MAX))
        found: list[AuditEntry] = []
        for row in rows:
            entry = _entry(row)
            if entry is None or not _fits(entry, wanted):
                continue
            if len(found) == limit:
                return Page(tuple(found), has_more=True, next_cursor=found[-1].id)
            found.append(entry)
        more = len(rows) == LOOKED_AT_MAX
        return Page(tuple(found), has_more=more, next_cursor=rows[-1].id if more else None)


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await ask()
    except TROUBLE as error:
        raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error


def _bound(instant: str | None) -> str | None:
    return None if instant is None else first_id_at("req", datetime.fromisoformat(instant))


def _request(row: RecordRow) -> RecordedRequest:
    asked = row.asked()
    return RecordedRequest(
        id=row.id,
        request_id=asked.request_id,
        api_key_id=row.api_key_id,
        idempotency_key=row.key,
        method=asked.method,
        path=asked.path,
        query=asked.query,
        operation=asked.operation,
        address=asked.address,
        state=row.state,
        status=row.status,
        code=row.code or None,
        resource_id=row.resource_id,
        started_at=wire_time(row.started_at),
        completed_at=None if row.completed_at is None else wire_time(row.completed_at),
        duration_ms=None if row.completed_at is None else (row.completed_at - row.started_at) // timedelta(milliseconds=1),
        request=_shown(bytes(asked.document)),
        before=_shown(row.before),
        response=_shown(row.body),
    )


def _entry(row: RecordRow) -> AuditEntry | None:
    asked = row.asked()
    if row.status is None or asked.is_replay or asked.method == "GET":
        return None
    good = not row.code
    answer = _shown(row.body)
    return AuditEntry(
        id=row.id,
        request_id=asked.request_id,
        occurred_at=wire_time(row.started_at),
        actor=Actor(row.api_key_id, asked.address),
        action=asked.operation,
        change=change_of(asked.method, row.status),
        resource_type=resource_type(row.resource_id),
        resource_id=row.resource_id,
        result="SUCCESS" if good else "FAILURE",
        status=row.status,
        code=row.code or None,
        before=_shown(row.before),
        after=answer.get("data") if good and isinstance(answer, dict) else None,
        batch_id=row.batch_id,
    )


def _fits(entry: AuditEntry, wanted: AuditFilter) -> bool:
    pairs = (
        (wanted.resource_type, entry.resource_type),
        (wanted.action, entry.action),
        (wanted.api_key_id, entry.actor.api_key_id),
        (wanted.result, entry.result),
    )
    return all(want is None or want == have for want, have in pairs)


def _shown(document: bytes | None) -> Any:  # noqa: ANN401 - JSON of any shape
    return None if document is None else masked(msgspec.json.decode(document))
