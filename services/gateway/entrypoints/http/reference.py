"""The reference page: the OpenAPI document as one static HTML page, with nothing on it that the document does not say."""

import json
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.shell import API_KEY, curl
from services.gateway.entrypoints.http.announced import HEADERS
from services.gateway.entrypoints.http.announced import TAG as EVENTS
from services.gateway.entrypoints.http.html import BASE, block, escape, prose
from services.gateway.entrypoints.http.reference_fields import fields, parameters
from services.gateway.entrypoints.http.responses import JSON
from services.gateway.entrypoints.http.schemas import Schema

_KEYS: Final = {"support": "$OFFERHUB_SUPPORT_KEY", "master": "$OFFERHUB_MASTER_KEY", None: ""}
_LISTS: Final = "Newest first, twenty at a time: `limit` changes that, and `next_cursor` goes into `cursor` for the next page."
_FIRST: Final = "After `make start`, `. .local/run.env` sets the address and the keys that the examples use."
_OFTEN: Final = 0.7
"""Errors that this part of all reads, or of all writes, can meet are told once and not with each."""


class Reference:
    """The parts of the page, each made from the document."""

    def __init__(self, document: Schema) -> None:
        """Read the document once."""
        self._document = document
        self._operations = [
            (method, path, entry) for path, entries in document["paths"].items() for method, entry in entries.items()
        ]
        self._common = {is_write: self._usual(is_write=is_write) for is_write in (False, True)}

    def page(self) -> str:
        """Write the body of the page."""
        info = self._document["info"]
        name = f"{escape(info['title'])} <span>API {escape(info['version'])}</span>"
        top = (
            f'<header class="top"><a class="name" href="#top">{name}</a>'
            f'<nav><a href="{BASE}/errors">Errors</a><a href="{BASE}/openapi.json">OpenAPI</a></nav>'
            '<label class="menu" for="menu">Contents</label></header>'
        )
        groups = "".join(self._group(tag) for tag in self._document["tags"])
        return (
            f'<input type="checkbox" id="menu" class="menu" aria-label="Show the contents">{top}<div class="layout" id="top">'
            f'<nav class="side" aria-label="Contents">{self._contents()}</nav>'
            f"<main>{self._start()}{groups}{self._resources()}</main></div>"
        )

    def _of(self, tag: str) -> Iterator[tuple[str, str, Schema]]:
        return ((method, path, entry) for method, path, entry in self._operations if tag in entry["tags"])

    def _contents(self) -> str:
        lines = ['<a href="#start">Start here</a>']
        for tag in self._document["tags"]:
            items = "".join(
                f'<li><a href="#{entry["operationId"]}">{_method(method)}{escape(entry["summary"])}</a></li>'
                for method, _, entry in self._of(tag["name"])
            )
            lines.append(f'<a href="#{_anchor(tag["name"])}">{escape(tag["name"])}</a><ul>{items}</ul>')
        return "".join((*lines, '<a href="#resources">Resources</a>'))

    def _start(self) -> str:
        info, shared = self._document["info"], self._document["components"]
        told = "".join(f"<p>{prose(paragraph)}</p>" for paragraph in info["description"].split("\n\n"))
        key = shared["securitySchemes"]["ApiKey"]["description"]
        once = shared["parameters"]["IdempotencyKey"]["description"]
        headers = "".join(
            f"<dt><code>{escape(name)}</code></dt><dd>{prose(header['description'])}</dd>"
            for name, header in shared["headers"].items()
        )
        example = json.dumps(shared["examples"]["INSUFFICIENT_FUNDS"]["value"], indent=2)
        text = (
            f'<h1>{escape(info["title"])}</h1><p class="lead">{escape(info["summary"])}</p>{told}'
            f"<h3>Keys</h3><p>{prose(key)}</p><h3>Doing things once</h3><p>{prose(once)}</p>"
            f"<h3>Lists</h3><p>{prose(_LISTS)}</p><h3>Headers of answers</h3><dl>{headers}</dl>"
        )
        first = curl("GET", "/me", key=API_KEY, headers={}, body=None)
        code = (
            f"<h4>The first call</h4>{block('sh', first)}<p>{prose(_FIRST)}</p>"
            f"<h4>What an error looks like</h4>{block('json', example)}"
        )
        return f'<section id="start"><div class="text">{text}</div><div class="code">{code}</div></section>'

    def _group(self, tag: Schema) -> str:
        articles = "".join(self._article(method, path, entry) for method, path, entry in self._of(tag["name"]))
        name = _anchor(tag["name"])
        title = f'<h2><a href="#{name}">{escape(tag["name"])}</a></h2><p class="lead">{prose(tag["description"])}</p>'
        told = self._events() if tag["name"] == EVENTS else ""
        return f'<section class="group" id="{name}">{title}{articles}{told}</section>'

    def _article(self, method: str, path: str, entry: Schema) -> str:
        name, scope = entry["operationId"], entry.get("x-required-scope")
        badge = f'<span class="scope">{escape(scope)}</span>' if scope else '<span class="scope">no key</span>'
        old = f'<span class="old">ends {escape(entry["x-sunset"])}</span>' if entry.get("deprecated") else ""
        told = "".join(f"<p>{prose(paragraph)}</p>" for paragraph in entry["description"].split("\n\n")[:-1])
        return (
            f'<article id="{name}"><div class="text"><h3><a href="#{name}">{escape(entry["summary"])}</a></h3>'
            f'<p class="route">{_method(method)}<code>{_path(path)}</code>{badge}{old}</p>'
            f"{told}{self._inputs(entry)}{self._answers(entry)}{self._errors(method, entry)}</div>"
            f'<div class="code">{self._examples(method, path, entry)}</div></article>'
        )

    def _inputs(self, entry: Schema) -> str:
        found = [self._resolved(parameter) for parameter in entry["parameters"]]
        parts = []
        for place, title in (("path", "In the path"), ("query", "Query")):
            lines = parameters([item for item in found if item["in"] == place])
            parts.append(f"<h4>{title}</h4>{lines}" if lines else "")
        if "requestBody" in entry:
            schema = self._resolved(entry["requestBody"]["content"][JSON]["schema"])
            note = "" if entry["requestBody"]["required"] else ' <span class="kind">optional</span>'
            parts.append(f"<h4>Body{note}</h4>{fields(schema)}")
        return "".join(parts)

    def _answers(self, entry: Schema) -> str:
        lines = []
        for status, response in self._successes(entry):
            data = response["content"][JSON]["schema"]["properties"]["data"]
            name = data.get("items", data)["$ref"].rpartition("/")[2]
            what = f'{"a list of " if "items" in data else ""}<a href="#{name}">{name}</a>'
            lines.append(f'<span class="status good">{status}</span> {what}')
        return f"<h4>Answer</h4><p>{', or '.join(lines)}</p>"

    def _errors(self, method: str, entry: Schema) -> str:
        common = self._common[method != "get"]
        own = [(status, code) for status, code in self._codes(entry) if code not in common]
        usual = [(status, code) for status, code in self._codes(entry) if code in common]
        lines = "".join(
            f'<dt><span class="status">{status}</span> {_error_link(code)}</dt><dd>{prose(CATALOGUE[code].message)}</dd>'
            for status, code in own
        )
        rest = " ".join(_error_link(code) for _, code in usual)
        kinds = "read" if method == "get" else "write"
        more = f"<details><summary>{'And those' if own else 'Those'} that any {kinds} can meet</summary><p>{rest}</p></details>"
        return f"<h4>Errors</h4>{f'<dl>{lines}</dl>' if lines else ''}{more}"

    def _examples(self, method: str, path: str, entry: Schema) -> str:
        for parameter in map(self._resolved, entry["parameters"]):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        body = entry.get("requestBody", {}).get("content", {}).get(JSON, {}).get("example")
        headers = {} if method == "get" else {"Idempotency-Key": "$(uuidgen)"}
        key = _KEYS.get(entry.get("x-required-scope"), API_KEY)
        asked = curl(method.upper(), path.removeprefix(BASE), key=key, headers=headers, body=body)
        status, response = next(self._successes(entry))
        shown = json.dumps(response["content"][JSON]["example"], indent=2)
        others = ((kind, content) for kind, content in response["content"].items() if kind != JSON)
        more = "".join(f"<h4>As {escape(kind)}</h4>{block('text', content['example'])}" for kind, content in others)
        return f"<h4>Request</h4>{block('sh', asked)}<h4>Answer, {status}</h4>{block('json', shown)}{more}"

    def _events(self) -> str:
        """Show the events by the kind of their data: those of one kind share its fields."""
        kinds: dict[str, list[tuple[str, Schema]]] = {}
        for name, entry in self._document["webhooks"].items():
            kinds.setdefault(_data_of(entry), []).append((name, entry["post"]))
        headers = parameters([self._document["components"]["parameters"][name] for name in HEADERS])
        shown = "".join(self._event_kind(kind, events) for kind, events in kinds.items())
        return f"<h4>Headers of a delivery</h4>{headers}{shown}"

    def _event_kind(self, kind: str, events: list[tuple[str, Schema]]) -> str:
        names = "".join(f'<dt id="{name}"><code>{name}</code></dt><dd>{prose(entry["summary"])}</dd>' for name, entry in events)
        shown = json.dumps(events[0][1]["requestBody"]["content"][JSON]["example"], indent=2)
        return (
            f'<article id="{kind}"><div class="text"><h3><a href="#{kind}">{kind}</a></h3><dl>{names}</dl>'
            f"<h4>Data</h4>{fields(self._document['components']['schemas'][kind])}</div>"
            f'<div class="code"><h4>{events[0][0]}</h4>{block("json", shown)}</div></article>'
        )

    def _resources(self) -> str:
        bodies = {
            entry["requestBody"]["content"][JSON]["schema"]["$ref"] for _, _, entry in self._operations if "requestBody" in entry
        }
        told = {ref.rpartition("/")[2] for ref in bodies} | {_data_of(entry) for entry in self._document["webhooks"].values()}
        schemas = {name: schema for name, schema in self._document["components"]["schemas"].items() if name not in told}
        shown = "".join(
            f'<article id="{name}"><h3><a href="#{name}">{name}</a></h3><p>{prose(schema.get("description", ""))}</p>'
            f"{fields(schema)}</article>"
            for name, schema in schemas.items()
        )
        title = '<h2><a href="#resources">Resources</a></h2><p class="lead">What answers, and parts of requests, are made of.</p>'
        return f'<section class="group" id="resources">{title}<div class="resources">{shown}</div></section>'

    def _usual(self, *, is_write: bool) -> set[str]:
        entries = [entry for method, _, entry in self._operations if (method != "get") is is_write]
        counted = Counter(code for entry in entries for _, code in self._codes(entry))
        return {code for code, times in counted.items() if times >= _OFTEN * len(entries)}

    def _codes(self, entry: Schema) -> list[tuple[str, str]]:
        return [
            (status, code)
            for status, response in entry["responses"].items()
            for code in self._resolved(response)["content"][JSON].get("examples", {})
            if code in CATALOGUE
        ]

    @staticmethod
    def _successes(entry: Schema) -> Iterator[tuple[str, Schema]]:
        """Yield the answers that are no errors; the one that says something was made comes first."""
        for status in sorted(entry["responses"], reverse=True):
            if int(status) < HTTPStatus.MULTIPLE_CHOICES:
                yield status, entry["responses"][status]

    def _resolved(self, part: Schema) -> Schema:
        found: Any = part
        if "$ref" in part:
            found = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
        resolved: Schema = found
        return resolved


def _data_of(event: Schema) -> str:
    name: str = event["post"]["requestBody"]["content"][JSON]["schema"]["properties"]["data"]["$ref"]
    return name.rpartition("/")[2]


def _anchor(tag: str) -> str:
    return f"group-{tag.lower()}"


def _method(method: str) -> str:
    return f'<span class="method {method}">{method}</span>'


def _path(path: str) -> str:
    return escape(path).replace("{", '<span class="slot">{').replace("}", "}</span>")


def _error_link(code: str) -> str:
    return f'<a class="error" href="{BASE}/errors/{code}"><code>{code}</code></a>'
