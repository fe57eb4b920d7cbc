"""Pages for people: one frame, one style sheet from here, no script, nothing from anywhere else."""

import html
import re
from pathlib import Path
from typing import Final

from services.gateway.domain.answers import Answer

BASE: Final = "/api/v1"
STYLE: Final = (Path(__file__).parent / "style.css").read_bytes()
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CODE: Final = re.compile(r"`([^`]+)`")
_JSON: Final = re.compile(r"(&quot;(?:\\&quot;|[^&]|&(?!quot;))*&quot;)(\s*:)?|\b(true|false|null|-?\d+(?:\.\d+)?)\b")
_SHELL: Final = re.compile(r"(^#.*$)|(\$[A-Z_]+|\$\(\w+\))|\b(curl|head|seq|sed)(?= )", re.MULTILINE)


def page(title: str, body: str) -> Answer:
    """Answer with a page; `body` is HTML already."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<link rel="stylesheet" href="{BASE}/docs/style.css"></head><body>{body}</body></html>\n'
    )
    headers = (("content-security-policy", _POLICY), ("referrer-policy", "no-referrer"), ("vary", "accept"))
    return Answer(200, text.encode(), content_type="text/html; charset=utf-8", headers=headers)


def escape(text: object) -> str:
    """Make text safe inside an element or a quoted attribute."""
    return html.escape(str(text))


def prose(text: str) -> str:
    """Turn plain text into HTML; what stands in backticks becomes code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def block(kind: str, text: str) -> str:
    """Show code as it is, with some colour; a command is selected with one click."""
    shown = escape(text)
    if kind == "json":
        shown = _JSON.sub(_json_colour, shown)
    elif kind == "sh":
        shown = _SHELL.sub(_shell_colour, shown)
    return f'<pre tabindex="0" class="{kind}"><code>{shown}</code></pre>'


def _json_colour(found: re.Match[str]) -> str:
    string, colon, value = found.groups()
    if string is None:
        return f'<span class="v">{value}</span>'
    return f'<span class="k">{string}</span>{colon}' if colon else f'<span class="s">{string}</span>'


def _shell_colour(found: re.Match[str]) -> str:
    comment, variable, command = found.groups()
    return f'<span class="{"c" if comment else "v" if variable else "k"}">{comment or variable or command}</span>'


def wants_html(accept: str) -> bool:
    """Tell whether an Accept header prefers a page to JSON, by RFC 9110; a client that names neither gets JSON."""
    weights = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name in weights:
            weights[name] = max(weights[name], _weight(parameters))
    return weights["text/html"] > 0 and weights["text/html"] >= weights["application/json"]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
