"""Requests as lines for a shell: what a reader of the documents can copy and run."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from services.gateway.domain.error_examples import Example, Step

API_KEY: Final = "$OFFERHUB_API_KEY"
_KEYS: Final = {"api": API_KEY, "support": "$OFFERHUB_SUPPORT_KEY", "none": ""}
_URL: Final = "$OFFERHUB_API_URL"
_LINE_MAX: Final = 80
_VARIABLE: Final = re.compile(r"\$[A-Z_]+")
_FUNCTIONS: Final = {
    "call ": (
        f'call() {{ curl -sS -X "$2" "{_URL}$3" -H "Authorization: Bearer $1" '
        "-H 'Content-Type: application/json' ${4:+-d \"$4\"}; }"
    ),
    "| id)": """id() { sed 's/^{"data":{"id":"\\([^"]*\\)".*/\\1/'; }""",
    "| key)": """key() { sed 's/.*"key":"\\([^"]*\\)".*/\\1/'; }""",
}
"""What marks the use of a function → the function."""


def script(example: Example) -> str:
    """Write an example as a script; it prints the answer to its last request, head and body.

    It reads OFFERHUB_API_URL and the keys from the environment, as `make start` leaves them in run.env.
    """
    steps = [_step(step) for step in example.before]
    given = [f"# Given {example.given}:", *steps, ""] if steps else []
    return "\n".join((*_functions(steps), *given, _request(example.request)))


def mending(example: Example) -> str:
    """Write what goes on after `script` and ends well; empty when nothing does."""
    if not example.mended:
        return ""
    known = _functions([_step(step) for step in example.before])
    steps = [_step(step) for step in example.mended[:-1]]
    functions = [text for text in _functions(steps) if text and text not in known]
    return "\n".join((*functions, *steps, _request(example.mended[-1])))


def curl(method: str, path: str, *, key: str, headers: Mapping[str, str], body: dict[str, Any] | None) -> str:
    """Write one request as a curl command over several lines; `path`, `key` and headers may hold variables."""
    url = f'"{_URL}{path}"'
    parts = [f"curl -i {url}" if method == "GET" else f"curl -i -X {method} {url}"]
    if key:
        parts.append(f'-H "Authorization: Bearer {key}"')
    if body is not None and "Content-Type" not in headers:
        parts.append("-H 'Content-Type: application/json'")
    parts += [f'-H "{name}: {value}"' if "$" in value else f"-H '{name}: {value}'" for name, value in headers.items()]
    if body is not None:
        parts.append(f"-d {_quoted(body)}")
    return " \\\n  ".join(parts)


def _functions(steps: list[str]) -> list[str]:
    """List the shell functions that steps use, and an empty line behind them."""
    used = [text for mark, text in _FUNCTIONS.items() if any(mark in step for step in steps)]
    return [*used, ""] if used else []


def _request(step: Step) -> str:
    command = curl(step.method, step.path, key=_key(step), headers=step.headers, body=step.body)
    return f"head -c {step.zeros} /dev/zero | {command} \\\n  --data-binary @-" if step.zeros else command


def _key(step: Step) -> str:
    return _KEYS.get(step.key, f"${step.key}")


def _step(step: Step) -> str:
    """Write a step in one line that prints nothing."""
    if step.headers:
        command = _request(step).replace("curl -i", "curl -sS").replace(" \\\n  ", " ")
    else:
        command = f'call "{_key(step)}" {step.method} "{step.path}"'
        command += "" if step.body is None else f" {_quoted(step.body, indent=None)}"
    if step.saves:
        return f"{step.saves}=$({command} | {'key' if step.path == '/auth/api-keys' else 'id'})"
    silent = f"{command} >/dev/null"
    if not step.is_awaited:
        return f"{silent} &"
    return silent if step.times == 1 else f"for n in $(seq {step.times}); do {silent}; done"


def _quoted(body: dict[str, Any], indent: int | None = 2) -> str:
    """Quote a document for a shell, over several lines if it is long; its variables stay variables."""
    text = json.dumps(body)
    if indent is not None and len(text) > _LINE_MAX:
        text = json.dumps(body, indent=indent)
    return "'" + _VARIABLE.sub(lambda found: f"'{found[0]}'", text) + "'"
