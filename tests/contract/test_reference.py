"""The reference page shows every operation, leads nowhere in vain, and needs nothing that is not here."""

import asyncio
import re
from html import unescape
from html.parser import HTMLParser
from typing import Final

import pytest

from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.entrypoints.http.html import STYLE, block, page, prose
from services.gateway.entrypoints.http.routing import PREFIX
from tests.support.api_document import Described, api_document, operations, routes

VOID: Final = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """What is on a page, read strictly: an element that is not closed, or closed twice, fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes |= found.keys()
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.loads += [found[name] for name in ("src", "srcset") if name in found] + ([found["href"]] if tag == "link" else [])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _reference() -> str:
    [route] = [route for route in routes() if route.path == f"{PREFIX}/docs"]
    return asyncio.run(route.endpoint(None)).body.decode()  # type: ignore[no-any-return] # it asks nothing of its call


TEXT: Final = _reference()
REFERENCE: Final = Page(TEXT)


@pytest.mark.parametrize("told", operations(), ids=str)
def test_every_operation_has_its_place_with_a_command_to_copy(told: Described) -> None:
    name = told.entry["operationId"]
    [article] = re.findall(rf'<article id="{name}">.*?</article>', TEXT, re.DOTALL)
    assert told.entry["summary"].replace("'", "&#x27;") in article
    assert f'<a href="#{name}">' in article
    assert "curl" in article
    for response in told.entry["responses"].values():
        for code in re.findall(r"[A-Z]+(?:_[A-Z]+)+", response.get("$ref", "")):
            assert f'href="{PREFIX}/errors/{code}"' in article
    for parameter in told.entry["parameters"]:
        if parameter.get("in") in ("path", "query"):
            assert f"<code>{parameter['name']}</code>" in article


@pytest.mark.parametrize("name", api_document()["webhooks"])
def test_every_event_has_its_place(name: str) -> None:
    assert name in REFERENCE.ids


def test_every_link_leads_somewhere() -> None:
    assert len(REFERENCE.ids) == len(set(REFERENCE.ids))
    known = {f"#{name}" for name in REFERENCE.ids} | {f"{PREFIX}/errors", f"{PREFIX}/openapi.json"}
    known |= {f"{PREFIX}/errors/{code}" for code in CATALOGUE}
    assert set(REFERENCE.links) - known == set()


def test_every_resource_that_answers_refer_to_is_described() -> None:
    answered = {name for name, schema in api_document()["components"]["schemas"].items() if "additionalProperties" not in schema}
    assert answered - set(REFERENCE.ids) == set()


def test_nothing_is_loaded_but_our_style_sheet_and_nothing_runs() -> None:
    assert REFERENCE.loads == [f"{PREFIX}/docs/style.css"]
    assert REFERENCE.tags & {"script", "iframe", "object", "embed", "form", "style"} == set()
    assert [name for name in REFERENCE.attributes if name == "style" or name.startswith("on")] == []
    assert b"url(" not in STYLE
    assert b"@import" not in STYLE


def test_the_page_is_not_too_large_for_a_slow_line() -> None:
    assert len(TEXT) < 500_000
    assert len(STYLE) < 16_000


def test_what_is_shown_is_never_markup() -> None:
    sly = '<script>alert("1")</script> & `<b>`'
    assert "<script" not in prose(sly) + block("json", sly) + block("sh", sly) + page(sly, "").body.decode()
    assert "<code>&lt;b&gt;</code>" in prose(sly)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '{"a\\"b": "c: \\"d\\"", "n": -1.5, "t": true, "x": null, "s": "it\'s & 5 < 6"}'),
        ("sh", '# curl it\ncurl -i "$URL/a" -H "K: $(uuidgen)" | sed \'s/"//\''),
    ],
)
def test_code_keeps_every_letter_when_it_is_coloured(kind: str, text: str) -> None:
    shown = block(kind, text)
    assert "<span" in shown
    assert unescape(re.sub(r"<[^>]+>", "", shown)) == text
