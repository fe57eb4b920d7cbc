"""Does what a snippet says, and compares what comes of it with what is printed."""

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

from tests.e2e.market import Market
from tests.support.client_docs.compare import Mismatch, differences
from tests.support.client_docs.endings import Kind
from tests.support.client_docs.extract import Document, Snippet
from tests.support.client_docs.substitutions import PLACES, REQUESTS, WITHOUT_ENVELOPE
from tests.support.gateway import gateway_settings, serving

_SDK: Final = Path(__file__).parents[3] / "libs" / "sdk-typescript"
_SECONDS: Final = 30
_ADDRESS: Final = re.compile(r"(\S+)(?:\s+\((\w+)\))?")
_FIGURE: Final = re.compile(r"([a-z_]+): ([0-9.]+)")
_NAME: Final = re.compile(r"<(\w+)>")
_PRINTED: Final = re.compile("|".join(map(re.escape, sorted(PLACES, key=len, reverse=True))))


@dataclass(frozen=True)
class Stage:
    """A marketplace of its own, what its scene calls things, and where commands run."""

    market: Market
    names: Mapping[str, str]
    directory: Path
    path: str
    """Where commands find their programs."""
    stack: Mapping[str, str]

    @property
    def host(self) -> str:
        """The address without the version."""
        return self.names["host"]

    def fill(self, text: str) -> str:
        """Put what is really there in place of what is printed; what the scene doesn't name stays."""
        return _PRINTED.sub(self._placed, text)

    def name(self, template: str) -> str:
        """Put what the scene names in place of `<name>`."""
        return _NAME.sub(lambda name: self.names[name[1]], template)

    def _placed(self, printed: re.Match[str]) -> str:
        template = PLACES[printed[0]]
        return self.name(template) if self.names.keys() >= set(_NAME.findall(template)) else printed[0]


@dataclass(frozen=True, slots=True)
class _Message:
    """A request or a response as it goes over the wire."""

    first: str
    headers: dict[str, str]
    body: str

    @classmethod
    def parse(cls, text: str) -> "_Message":
        head, _, body = text.partition("\n\n")
        first, *lines = head.splitlines() if re.match(r"[A-Z]+(?:/1.1)? ", head) else ["", *head.splitlines()]
        return cls(first, dict(line.split(": ", 1) for line in lines), body)


async def perform(snippet: Snippet, document: Document, stage: Stage) -> None:
    """Run a snippet.

    Raises:
        Mismatch: what came of it is not what is printed.
    """
    text = stage.fill(snippet.text)
    match snippet.kind:
        case Kind.SHELL:
            _check_success(await _command(stage, text))
        case Kind.JSON:
            await _json(snippet, document, stage)
        case Kind.HTTP:
            await _http(_Message.parse(text), stage)
        case Kind.ADDRESS:
            await _addresses(text, stage)
        case Kind.FIGURES:
            await _figures(text, stage)
        case Kind.SCRIPT:
            if not _SDK.exists():
                raise Mismatch("there is no SDK to run it with")
            raise AssertionError(f"{_SDK} has come: its snippets must run here")


async def _json(snippet: Snippet, document: Document, stage: Stage) -> None:
    printed = json.loads(stage.fill(snippet.text))
    if snippet.part == "Request Body":
        _check_success(await _asking(snippet, stage)())
        return
    if "type" in printed:
        actual = await _event(printed["type"], stage)
    else:
        actual = await _asked(snippet, document, stage)()
    if snippet.name in WITHOUT_ENVELOPE:
        actual = actual["data"]
    found = differences(printed, actual, given=frozenset(stage.names.values()))
    if found:
        raise Mismatch("\n".join(found))


def _asked(snippet: Snippet, document: Document, stage: Stage) -> Callable[[], Awaitable[Any]]:
    """Find the request that a printed answer answers: the list's, the last one before it, or the one its heading names."""
    if snippet.name in REQUESTS:
        return partial(_send, stage, _Message.parse(stage.name(REQUESTS[snippet.name])))
    siblings = [other for other in document.snippets if other.heading == snippet.heading and other.line < snippet.line]
    requests = [other for other in siblings if other.kind in (Kind.SHELL, Kind.HTTP) or other.part == "Request Body"]
    if requests:
        return _asking(requests[-1], stage)
    assert snippet.operation, f"{snippet.name} answers nothing"
    return partial(_send, stage, _Message(stage.fill(snippet.operation), {}, ""))


def _asking(snippet: Snippet, stage: Stage) -> Callable[[], Awaitable[Any]]:
    text = stage.fill(snippet.text)
    if snippet.kind is Kind.SHELL:
        return partial(_command, stage, text)
    if snippet.kind is Kind.HTTP:
        return partial(_send, stage, _Message.parse(text))
    return partial(
        _send,
        stage,
        _Message(
            stage.fill(snippet.operation), {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)}, text
        ),
    )


async def _command(stage: Stage, text: str) -> Any:
    """Run a command as it stands and return the JSON that it prints."""
    environment = {"PATH": stage.path, "HOME": str(stage.directory)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", text), cwd=stage.directory, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        output, complaints = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise Mismatch(f"exit {process.returncode}: {complaints.decode()}")
    return _read(output)


async def _send(stage: Stage, message: _Message) -> Any:
    return _read((await _response(stage, message)).content)


async def _response(stage: Stage, message: _Message) -> httpx.Response:
    method, path = message.first.split(" ")
    url = stage.host + path if path.startswith("/api/") else stage.names["base"] + path
    headers = {"Authorization": f"Bearer {stage.market.api_key}"} | message.headers
    return await stage.market.client.request(method, url, headers=headers, content=message.body or None)


async def _http(message: _Message, stage: Stage) -> None:
    if message.first.startswith("HTTP/"):
        await _refused(message, stage)
    elif not message.first:
        bare = await stage.market.client.get("/me")
        known = await stage.market.client.get("/me", headers=message.headers)
        if (bare.status_code, known.status_code) != (httpx.codes.UNAUTHORIZED, httpx.codes.OK):
            raise Mismatch(f"without the header {bare.text}, with it {known.text}")
    else:
        first = await _response(stage, message)
        _check_success(_read(first.content))
        if "Idempotency-Key" in message.headers:
            await _repeat(message, stage, first)


async def _repeat(message: _Message, stage: Stage, first: httpx.Response) -> None:
    """Send a request again, as it was and with another body."""
    again = await _response(stage, message)
    if (again.status_code, again.content) != (first.status_code, first.content):
        raise Mismatch(f"the repeat was answered {again.text} instead of {first.text}")
    changed = json.dumps(json.loads(message.body) | {"title": "Another thing"})
    other = await _response(stage, _Message(message.first, message.headers, changed))
    if (other.status_code, other.json()["error"]["code"]) != (httpx.codes.CONFLICT, "IDEMPOTENCY_KEY_REUSED"):
        raise Mismatch(f"another body was answered {other.text}")


async def _refused(printed: _Message, stage: Stage) -> None:
    """Ask until it is too often, and compare the whole response."""
    async with limited(stage.stack) as client:
        answers = [await client.get("/me") for _ in range(101)]
    admitted, answer = answers[:-1], answers[-1]
    assert all(answer.is_success for answer in admitted), "the limit came too early"
    found = differences(json.loads(printed.body), answer.json())
    if f"{answer.http_version} {answer.status_code} {answer.reason_phrase}" != printed.first:
        found.append(f"{answer.status_code} {answer.reason_phrase} instead of {printed.first}")
    found += [f"no header {name}" for name in printed.headers if not answer.headers.get(name, "").isdigit()]
    if found:
        raise Mismatch("\n".join(found))


@contextlib.asynccontextmanager
async def limited(stack: Mapping[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a gateway that limits rates in front of the stack's services; the client has a key that nobody used yet."""
    bus = {"queue_expires_ms": 0, "db_role_secret": ""}
    settings = gateway_settings(
        stack["DATABASE_URL"], stack["AMQP_URL"], stack["OFFERHUB_BUS_PREFIX"], rate_limits="on", redis_url="", **bus
    )
    async with serving(settings) as served:
        await served.gateway.link.wait_up(10)
        made = await served.client.post("/auth/api-keys", json={"name": "limited", "scopes": ["read", "write"]})
        served.client.headers["Authorization"] = f"Bearer {made.json()['data']['key']}"
        yield served.client


async def _addresses(text: str, stage: Stage) -> None:
    """An address with a host is where the API begins; a path answers, unless it belongs to the future."""
    for line in text.splitlines():
        shown = _ADDRESS.fullmatch(line)
        assert shown is not None, line
        address, remark = shown.groups()
        url = f"{address}/health" if "://" in address else stage.host + address
        answer = await stage.market.get(url)
        wanted = httpx.codes.NOT_FOUND if remark == "future" else httpx.codes.OK
        if answer.status_code != wanted:
            raise Mismatch(f"{url}: {answer.status_code} {answer.text}")


async def _figures(text: str, stage: Stage) -> None:
    balances = (await stage.market.get(f"/users/{stage.names['buyer']}/balance")).json()["data"]["balances"]
    dollars = next(line for line in balances if line["currency"] == "USD")
    found = differences(dict(_FIGURE.findall(text)), dollars)
    if found:
        raise Mismatch("\n".join(found))


async def _event(kind: str, stage: Stage) -> Any:
    """Find an event of this type in the log."""
    events = (await stage.market.get("/events", params={"limit": 100})).json()["data"]
    found = [event for event in events if event["type"] == kind]
    if not found:
        raise Mismatch(f"nobody announced {kind}")
    return found[0]


def _check_success(answer: Any) -> None:
    if not answer.get("data"):
        raise Mismatch(json.dumps(answer))


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise Mismatch(f"no JSON: {content[:500]!r}") from None
