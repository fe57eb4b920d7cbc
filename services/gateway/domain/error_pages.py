"""What is told about an error code, to people and to programs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from services.gateway.domain.answers import failure
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.error_examples import EXAMPLES
from services.gateway.domain.shell import mending, script

DOCS: Final = "/api/v1/errors"
"""Where the pages are, unless a deployment has them elsewhere."""
REQUEST_ID: Final = "req_01kf0qbn6z9c2f5h8k1m4p7r0t"
_OCCURS: Final = {
    "always": "The keys and the address are those of `make start`: `. .local/run.env`.",
    "by chance": "It can't be brought about at will; this request may meet it.",
    "not yet": "Nothing answers it yet: the operations that will are not part of this version.",
}


class ErrorEntry(msgspec.Struct, frozen=True):
    """One entry of the error catalogue; `example` and `mended` are parts of one shell script.

    `answer` is what the last request of the first part is answered with; the second part goes on and ends well.
    """

    code: str
    http_status: int
    message: str
    cause: str
    fix: str
    retryable: bool
    example: str
    mended: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page: prose, or a block of code."""

    title: str
    kind: Literal["text", "sh", "json"]
    text: str


def entry(code: str) -> ErrorEntry:
    """Tell all about a code.

    Raises:
        KeyError: there is no such code.
    """
    problem = CATALOGUE[code]
    return ErrorEntry(
        code=code,
        http_status=problem.status,
        message=problem.message,
        cause=problem.cause,
        fix=problem.fix,
        retryable=problem.retryable,
        example=script(EXAMPLES[code]),
        mended=mending(EXAMPLES[code]),
        answer=answer(code),
    )


def answer(code: str) -> dict[str, Any]:
    """Return the body that the example of a code is answered with."""
    example = EXAMPLES[code]
    message = example.message or CATALOGUE[code].message
    body = failure(code, message, example.details, request_id=REQUEST_ID, docs=DOCS).body
    shown: dict[str, Any] = json.loads(body)
    return shown


def parts(code: str) -> Iterator[Part]:
    """Lay out the page of a code."""
    told = entry(code)
    yield Part("Cause", "text", told.cause)
    yield Part("Example", "text", _OCCURS[EXAMPLES[code].occurs])
    yield Part("", "sh", told.example)
    yield Part(f"The answer, {told.http_status}", "json", json.dumps(told.answer, indent=2))
    yield Part("Fix", "text", told.fix)
    if told.mended:
        yield Part("", "sh", told.mended)


def markdown(code: str) -> str:
    """Write the page of a code."""
    told = entry(code)
    lines = [f"# {code}", "", told.message + ".", "", "| HTTP status | retryable |", "|---|---|"]
    lines += [f"| {told.http_status} | {'yes' if told.retryable else 'no'} |", ""]
    for part in parts(code):
        lines += [f"## {part.title}", ""] if part.title else []
        lines += [part.text, ""] if part.kind == "text" else [f"```{part.kind}", part.text, "```", ""]
    return "\n".join(lines)


def index() -> str:
    """Write the page that leads to all others."""
    rows = [
        f"| [{code}]({code}.md) | {problem.status} | {problem.message} | {'yes' if problem.retryable else 'no'} |"
        for code, problem in CATALOGUE.items()
    ]
    lines = [
        "# Errors",
        "",
        "Made from the error catalogue by `make docs`. A gateway serves the same pages at `/api/v1/errors`.",
        "",
    ]
    return "\n".join((*lines, "| code | HTTP status | means | retryable |", "|---|---|---|---|", *rows, ""))
