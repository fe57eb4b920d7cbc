"""The error catalogue over HTTP: pages for a browser, JSON for everybody else."""

from dataclasses import replace
from functools import cache
from typing import Final

import msgspec

from libs.common.contracts.replies.common import Page
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, page, resource
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.error_pages import ErrorEntry, Part, entry, parts
from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http import html
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.html import BASE, block, escape, prose, wants_html
from services.gateway.entrypoints.http.routing import Operation

_ADVICE: Final = "Every error has one of these codes. Build on the code and on `retryable`; the message is for people."


async def list_errors(call: Calling) -> Answer:
    """List the error catalogue.

    Every code with its status, cause and fix. A browser gets a page, anybody else JSON.
    """
    return _index_page() if wants_html(call.accept) else _index()


async def get_error(call: Calling, code: str) -> Answer:
    """Explain an error code.

    What brings it about and what to do, with a script that provokes and mends it; the `doc_url` of every error leads
    here. A browser gets a page, anybody else JSON.
    """
    if code not in CATALOGUE:
        raise ApiError("NOT_FOUND", "There is no such error code; GET /api/v1/errors lists them all")
    return _error_page(code) if wants_html(call.accept) else _error(code)


@cache
def _index() -> Answer:
    return _varying(page(msgspec.json.encode(Page(tuple(entry(code) for code in CATALOGUE)))))


@cache
def _error(code: str) -> Answer:
    return _varying(resource(msgspec.json.encode(entry(code))))


def _varying(answer: Answer) -> Answer:
    return replace(answer, headers=(("vary", "accept"),))


@cache
def _index_page() -> Answer:
    rows = "".join(
        f'<tr><td><a href="{BASE}/errors/{code}"><code>{code}</code></a></td><td>{problem.status}</td>'
        f"<td>{prose(problem.message)}</td><td>{'yes' if problem.retryable else 'no'}</td></tr>"
        for code, problem in CATALOGUE.items()
    )
    head = "<tr><th>code</th><th>status</th><th>means</th><th>retryable</th></tr>"
    return html.page(
        "Errors · OFFER-HUB",
        f'<main class="article">{_crumbs("Errors")}<h1>Errors</h1><p>{prose(_ADVICE)}</p>'
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table></main>",
    )


@cache
def _error_page(code: str) -> Answer:
    told = entry(code)
    facts = f'<span class="status">{told.http_status}</span> {"retryable" if told.retryable else "not retryable"}'
    body = "".join(_shown(part) for part in parts(code))
    crumbs = _crumbs(f'<a href="{BASE}/errors">Errors</a>', code)
    return html.page(
        f"{code} · OFFER-HUB",
        f'<main class="article">{crumbs}<h1>{code}</h1><p class="lead">{prose(told.message)}.</p><p>{facts}</p>{body}</main>',
    )


def _shown(part: Part) -> str:
    title = f"<h2>{escape(part.title)}</h2>" if part.title else ""
    return title + (f"<p>{prose(part.text)}</p>" if part.kind == "text" else block(part.kind, part.text))


def _crumbs(*names: str) -> str:
    return f'<nav class="crumbs"><a href="{BASE}/docs">API reference</a> / {" / ".join(names)}</nav>'


OPERATIONS = (
    Operation("GET", "/errors", list_errors, Scope.PUBLIC, ErrorEntry, is_list=True),
    Operation("GET", "/errors/{code}", get_error, Scope.PUBLIC, ErrorEntry),
)
