"""The error catalogue as the gateway serves it, and the pages whose errors need a gateway of their own."""

import asyncio
import shutil

import httpx
import pytest

from libs.common.contracts.replies.ledger import UserOpened
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.error_examples import EXAMPLES, Step
from services.gateway.settings import GatewaySettings
from tests.support.error_pages import Heard, check, error_page, run
from tests.support.gateway import MASTER_KEY, FakeServices, Served, error_of, serving, user
from tests.support.workers import until

pytestmark = pytest.mark.integration
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


async def sent(served: Served, step: Step) -> httpx.Response:
    return await served.client.request(step.method, step.path, json=step.body, headers=dict(step.headers))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages are for curl")
async def test_the_page_of_the_rate_limit_reaches_it(config: GatewaySettings) -> None:
    async with serving(config.model_copy(update={"rate_limits": "on"})) as served:
        shell = {"OFFERHUB_API_URL": f"http://127.0.0.1:{served.port}/api/v1", "OFFERHUB_API_KEY": MASTER_KEY}
        page = error_page("RATE_LIMITED")
        [heard] = await run(page.script, shell)
        check(page, heard)


async def test_the_page_of_a_key_in_progress_meets_it_while_the_first_request_takes_long(
    served: Served, services: FakeServices
) -> None:
    services.answers["OpenUser"] = lambda it: UserOpened(user(it.user_id, it.external_user_id), created=True)
    services.held.clear()
    example = EXAMPLES["IDEMPOTENCY_KEY_IN_PROGRESS"]
    first = asyncio.create_task(sent(served, example.before[0]))

    async def is_under_way() -> bool:
        return bool(services.told("OpenUser"))

    await until(is_under_way)
    second = await sent(served, example.request)
    check(error_page("IDEMPOTENCY_KEY_IN_PROGRESS"), Heard(second.status_code, second.json()))
    assert second.headers["retry-after"]
    services.held.set()
    assert (await first).status_code == 201


async def test_every_code_has_a_page_and_an_entry(served: Served) -> None:
    served.client.headers.pop("Authorization")
    for code, problem in CATALOGUE.items():
        entry = (await served.client.get(f"/errors/{code}")).json()["data"]
        assert (entry["code"], entry["http_status"], entry["retryable"]) == (code, problem.status, problem.retryable)
        assert entry["cause"]
        assert "curl" in entry["example"]
        assert entry["answer"]["error"]["code"] == code
        page = await served.client.get(f"/errors/{code}", headers={"Accept": BROWSER})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert f"<h1>{code}</h1>" in page.text


async def test_the_index_lists_every_code_and_links_to_it(served: Served) -> None:
    listed = (await served.client.get("/errors")).json()
    assert [entry["code"] for entry in listed["data"]] == list(CATALOGUE)
    assert listed["pagination"] == {"has_more": False, "next_cursor": None}
    page = (await served.client.get("/errors", headers={"Accept": BROWSER})).text
    assert [code for code in CATALOGUE if f'href="/api/v1/errors/{code}"' not in page] == []


async def test_a_page_may_load_nothing_but_our_style_sheet(served: Served) -> None:
    page = await served.client.get("/errors/INVALID_STATE", headers={"Accept": BROWSER})
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in policy
    assert (page.headers["x-content-type-options"], page.headers["vary"]) == ("nosniff", "accept")
    assert "<script" not in page.text
    assert "style=" not in page.text


async def test_where_the_pages_are_is_for_the_operator_to_say(config: GatewaySettings) -> None:
    moved = config.model_copy(update={"docs_url": "https://docs.example.com/errors/"})
    async with serving(moved) as served:
        error = error_of(await served.client.get("/orders/nonsense"))
        assert error["doc_url"] == "https://docs.example.com/errors/ORDER_NOT_FOUND"


async def test_the_doc_url_of_an_error_leads_to_its_page(served: Served) -> None:
    error = error_of(await served.client.get("/orders/nonsense"))
    host = httpx.URL(f"http://127.0.0.1:{served.port}")
    page = await served.client.get(host.join(error["doc_url"]), headers={"Accept": BROWSER})
    assert "<h1>ORDER_NOT_FOUND</h1>" in page.text


async def test_the_reference_and_its_style_sheet_are_served_to_anybody(served: Served) -> None:
    served.client.headers.pop("Authorization")
    page, style = await served.client.get("/docs"), await served.client.get("/docs/style.css")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert page.headers["x-content-type-options"] == style.headers["x-content-type-options"] == "nosniff"
