"""What callers attach to their users and orders: how much of it there may be, and how a part of it is changed."""

import json
from typing import Any, Final

KEYS_MAX: Final = 50
BYTES_MAX: Final = 32 * 1024
"""Of its JSON: it travels in every answer and event of its owner, and a page shows a hundred of them."""


def merged(known: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Lay changes over what is known, key by key at the top level only; a change to None removes its key."""
    return {key: value for key, value in (known | changes).items() if value is not None or key not in changes}


def problem_with(metadata: dict[str, Any]) -> str | None:
    """Say what is too much about it, or None."""
    if len(metadata) > KEYS_MAX:
        return f"at most {KEYS_MAX} keys"
    if len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()) > BYTES_MAX:
        return f"at most {BYTES_MAX // 1024} KiB of JSON"
    return None
