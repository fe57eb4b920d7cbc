"""Every snippet of the documents that integrators read runs as it is printed, and is answered as they say."""

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.market import Market
from tests.support.client_docs import scenes
from tests.support.client_docs.compare import Mismatch
from tests.support.client_docs.extract import Document, Snippet, Table
from tests.support.client_docs.library import MISSING, documents
from tests.support.client_docs.perform import Stage, limited, perform
from tests.support.client_docs.substitutions import PENDING, SCENES

pytestmark = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="the commands are for bash and curl")


def _cases() -> list[Any]:
    found = [(snippet, document) for document in documents() for snippet in document.snippets]
    return [_case(snippet, document) for snippet, document in found] or [pytest.param(None, None, marks=MISSING)]


def _case(snippet: Snippet, document: Document) -> Any:
    reason = PENDING.get(snippet.name)
    marks = [pytest.mark.xfail(raises=Mismatch, strict=True, reason=reason)] if reason else []
    return pytest.param(snippet, document, id=snippet.name, marks=marks)


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """Where commands find their programs; a `uuidgen` is added where the machine has none."""
    path = os.environ["PATH"]
    if shutil.which("uuidgen") is None:
        stand_in = tmp_path / "bin" / "uuidgen"
        stand_in.parent.mkdir()
        stand_in.write_text("#!/bin/sh\nexec cat /proc/sys/kernel/random/uuid\n")
        stand_in.chmod(0o755)
        path = f"{stand_in.parent}:{path}"
    return path


@pytest.fixture
async def stall(market: Market, stack: dict[str, str]) -> Market:
    """A marketplace that nobody else uses, with a caller's key and the support desk's."""
    marketplace = f"docs-{secrets.token_hex(6)}"

    async def key(*scopes: str) -> str:
        body = {"name": "docs", "scopes": scopes, "marketplace": marketplace}
        made = await market.make("/auth/api-keys", body, key=stack["OFFERHUB_MASTER_KEY"])
        return str(made["key"])

    keys = {"api_key": await key("read", "write"), "support_key": await key("read", "write", "support")}
    return Market(market.client, **keys, horizon_url=stack["STELLAR_HORIZON_URL"])


@pytest.mark.parametrize(("snippet", "document"), _cases())
async def test_the_snippet_runs(
    snippet: Snippet, document: Document, stall: Market, stack: dict[str, str], tmp_path: Path, programs: str
) -> None:
    base = stack["OFFERHUB_API_URL"]
    known = {
        "host": base.removesuffix("/api/v1"),
        "base": base,
        "api_key": stall.api_key,
        "master_key": stack["OFFERHUB_MASTER_KEY"],
    }
    play = SCENES.get(snippet.name) or SCENES.get(f"{snippet.document}/{snippet.heading}", scenes.nothing)
    stage = Stage(stall, {**known, **await play(stall)}, tmp_path, programs, stack)
    await perform(snippet, document, stage)


def _table(heading: str) -> Table:
    return next(table for document in documents() for table in document.tables if table.heading == heading)


@pytest.mark.skipif(not documents(), reason=MISSING.kwargs["reason"])
async def test_headers_are_needed_and_answered_as_the_tables_say(stack: dict[str, str]) -> None:
    async with limited(stack) as client:
        key = client.headers.pop("Authorization")
        sent = {
            "Authorization": key,
            "Content-Type": "application/json",
            "Idempotency-Key": secrets.token_hex(16),
            "X-Request-ID": secrets.token_hex(16),
        }
        body = json.dumps({"external_user_id": secrets.token_hex(8)})
        answer = await client.post("/users", headers=sent, content=body)
        assert answer.is_success, answer.text
        known = []
        for name in sent:
            others = {other: value for other, value in sent.items() if other != name}
            refused = (await client.post("/users", headers=others, content=body)).is_client_error
            known += [f"{name}Yes"] if refused else [f"{name}No", f"{name}Conditional"]
    assert _table("Request Headers").without(known) == []
    lower = [row.lower() for row in _table("Response Headers").rows]
    assert [row for row in lower if not row.startswith(tuple(answer.headers))] == []
    assert (answer.headers["X-Request-ID"], answer.headers["X-Idempotency-Key"]) == (
        sent["X-Request-ID"],
        sent["Idempotency-Key"],
    )
