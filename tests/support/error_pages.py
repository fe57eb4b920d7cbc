"""The error pages as a reader meets them: their scripts, run as they stand, and what they promise of the answer."""

import asyncio
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[2] / "docs" / "errors"
_FENCE = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"^\| (\d{3}) \|", re.MULTILINE)
_SECONDS = 30


@dataclass(frozen=True)
class Heard:
    """What curl printed of an answer."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class ErrorPage:
    """What a page shows: its script, and the answer that its first part promises."""

    script: str
    status: int
    error: dict[str, Any]


def error_page(code: str) -> ErrorPage:
    """Read the page of a code."""
    text = (PAGES / f"{code}.md").read_text()
    blocks = _FENCE.findall(text)
    [answer] = [json.loads(block) for kind, block in blocks if kind == "json"]
    status = _STATUS.search(text)
    assert status is not None, f"the page of {code} names no status"
    return ErrorPage("\n".join(block for kind, block in blocks if kind == "sh"), int(status[1]), answer["error"])


async def run(script: str, environment: dict[str, str]) -> list[Heard]:
    """Run a script as `sh` would for a reader, and read the answers that it prints."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", script, env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    answers = out.decode().replace("\r\n", "\n").split("HTTP/1.1 ")
    parts = [answer.partition("\n\n") for answer in answers[1:] if not answer.startswith("100 ")]
    return [Heard(int(head[:3]), json.loads(body)) for head, _, body in parts]


def check(page: ErrorPage, heard: Heard) -> None:
    """Fail unless an answer is what the page promises: status, code, message, retryable, and the shape of its details."""
    error = heard.body["error"]
    assert (heard.status, error["code"], error["message"]) == (page.status, page.error["code"], page.error["message"])
    assert error["retryable"] is page.error["retryable"]
    assert shape(error["details"]) == shape(page.error["details"])
    assert error["doc_url"].endswith(f"/errors/{error['code']}")


def shape(value: Any) -> Any:
    """Names and nesting, without the values: those are the caller's own."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__
