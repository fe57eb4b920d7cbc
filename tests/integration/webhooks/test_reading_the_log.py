"""The log is read in pages and one by one, by its own tenant only."""

from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.queries.webhooks import GetEvent, ListEvents
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import LoggedEvent
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store import reads
from tests.support.events import event, publish
from tests.support.webhooks import logged
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
KINDS = ("order.created", "order.closed", "user.created")


async def _log(config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, count: int) -> list[str]:
    """Log so many events of three kinds in turn; return their ids in order."""
    for number in range(1, count + 1):
        await publish(config, [[event(tenant, f"{kind}:a", number, kind=kind)] for kind in KINDS])

    async def all_are() -> bool:
        return [len(await logged(owner, tenant, kind)) for kind in KINDS] == [count] * 3

    await until(all_are)
    rows = await owner.fetch("SELECT id FROM webhooks.event_log WHERE tenant = $1 ORDER BY position", tenant)
    return [row["id"] for row in rows]


async def _walk(worker: Worker, tenant: Tenant, **query: Any) -> list[LoggedEvent]:
    found: list[LoggedEvent] = []
    after = 0
    while True:
        reply = await worker.rpc.query("webhooks", ListEvents(after=after, **query), tenant=tenant)
        page = msgspec.json.decode(reply.result, type=Page[LoggedEvent])
        assert len(page.data) <= query.get("limit", 20)
        found.extend(page.data)
        if not page.has_more:
            return found
        assert page.next_cursor is not None
        assert int(page.next_cursor) > after
        after = int(page.next_cursor)


@pytest.mark.parametrize("scanned", [2, 2_000])
@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        (None, KINDS),
        (("*",), KINDS),
        (("order.*",), KINDS[:2]),
        (("order.closed", "user.created"), KINDS[1:]),
        (("dispute.*",), ()),
    ],
)
async def test_a_walk_shows_what_is_asked_for_once_and_in_order(
    config: WebhooksSettings,
    owner: asyncpg.Connection,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    events: tuple[str, ...] | None,
    kinds: tuple[str, ...],
    scanned: int,
) -> None:
    """However few events a page looks at."""
    for name in ("_FILTERED_PAGE", "_SCANNED"):
        text = getattr(reads, name).replace(f"LIMIT {reads.SCANNED_MAX}", f"LIMIT {scanned}")
        monkeypatch.setattr(reads, name, text.replace(f"OFFSET {reads.SCANNED_MAX - 1}", f"OFFSET {scanned - 1}"))
    async with running(build(config), config) as worker:
        await _log(config, owner, tenant, 5)
        await _log(config, owner, Tenant(f"{new_id('req')}:live"), 2)
        found = await _walk(worker, tenant, limit=3, events=events)
    rows = await owner.fetch("SELECT id, position, type FROM webhooks.event_log WHERE tenant = $1 ORDER BY position", tenant)
    expected = [(row["id"], row["position"]) for row in rows if row["type"] in kinds]
    assert [(item.id, item.position) for item in found] == expected


@pytest.mark.parametrize("limit", [0, -1, 101])
async def test_a_page_has_bounds(config: WebhooksSettings, tenant: Tenant, limit: int) -> None:
    async with running(build(config), config) as worker:
        reply = await worker.rpc.query("webhooks", ListEvents(limit=limit), tenant=tenant)
    assert reply.refusal is not None
    assert reply.refusal.details["fields"][0]["field"] == "limit"


async def test_an_event_is_shown_to_its_own_tenant(config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant) -> None:
    stranger = Tenant(f"{new_id('req')}:live")
    async with running(build(config), config) as worker:
        [first, *_] = await _log(config, owner, tenant, 1)
        reply = await worker.rpc.query("webhooks", GetEvent(first), tenant=tenant)
        shown = msgspec.json.decode(reply.result, type=LoggedEvent)
        assert (shown.id, shown.position, shown.sequence, bytes(shown.data)) == (first, 1, 1, b'{"n":1}')
        for who, event_id in ((stranger, first), (tenant, new_id("evt"))):
            refused = await worker.rpc.query("webhooks", GetEvent(event_id), tenant=who)
            assert refused.refusal is not None
            assert (refused.refusal.code, refused.refusal.details) == ("EVENT_NOT_FOUND", {"event_id": event_id})
