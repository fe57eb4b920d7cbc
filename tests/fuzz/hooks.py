"""Loaded by schemathesis: lets its requests reach what is there, keeps them on this machine, and counts what they meet."""

import atexit
import json
import os
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from libs.common.kernel.ids import new_id
from tests.fuzz.stage import Stage

STAGE = Stage.load(Path(os.environ["OFFERHUB_FUZZ_STAGE"]))
MET: Counter[str] = Counter()
"""How often an operation answered with a status: `METHOD path status`."""
_HUGE = re.compile(r"^([1-9]\d{5})\d+")
_MOST = 2**63 - 1
_HOST = re.compile(r"^(https?://)[^/?#]*")


@schemathesis.hook
def before_call(_: Any, case: Any, **__: Any) -> None:
    """Put ids of the stage where any would do, and keep the run from ending its own key or calling strangers."""
    meta = case.meta
    if meta is not None and meta.phase.name.value != "stateful" and not meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters = _placed(case.path_parameters)
    if STAGE.own_key_id in (case.path_parameters or {}).values():
        case.path_parameters = case.path_parameters | {"key_id": new_id("key")}
    if meta is not None and not meta.is_negative_at(ParameterLocation.BODY) and isinstance(case.body, dict):
        case.body = _spelled(_placed(case.body, but="code"))  # in a path an error's code, in a body a second factor's
    if meta is not None and not meta.is_negative_at(ParameterLocation.QUERY):
        case.query = {name: value for name, value in (case.query or {}).items() if name not in _unasked(case)}


@schemathesis.hook
def after_call(_: Any, case: Any, response: Any) -> None:
    """Count."""
    MET[f"{case.operation.label} {response.status_code}"] += 1


def _placed(values: Any, *, but: str = "") -> Any:
    """Replace three of four ids by one that exists, always the same for the same value; a field called `but` is left alone."""
    if not isinstance(values, dict):
        return values
    placed = dict(values)
    for name, ids in STAGE.ids.items():
        if name == but:
            continue
        number = zlib.crc32(repr(values.get(name)).encode())
        if isinstance(values.get(name), str) and number % 4:
            placed[name] = ids[number // 4 % len(ids)]
    return placed


def _unasked(case: Any) -> set[str]:
    """Name the parameters that are not valid together with the others: cursors of no page, and what only the stream takes."""
    return {"cursor"} if case.path != "/api/v1/events" else {"cursor", "since", "user_id", "takeover"}


def _bounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_bounded(each) for each in value]
    return value % _MOST if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MOST else value


def _spelled(body: dict[str, Any]) -> dict[str, Any]:
    """Rewrite what a pattern can't describe: hosts, which are also not to be called, addresses, the future, sums that add up."""
    spelled = dict(body)
    if isinstance(url := body.get("url"), str):
        spelled["url"] = _HOST.sub(r"\g<1>127.0.0.1:9", url)
    if isinstance(ranges := body.get("allowed_ips"), list):
        spelled["allowed_ips"] = [f"127.0.{number % 256}.0/24" for number, _ in enumerate(ranges)]
    if isinstance(spelled.get("expires_at"), str):
        spelled["expires_at"] = "2099-12-31"
    if isinstance(amount := body.get("amount"), str):
        spelled["amount"] = _HUGE.sub(r"\1", amount)
    if isinstance(milestones := body.get("milestones"), list):
        spelled["milestones"] = [each | {"ref": f"m{number}"} for number, each in enumerate(milestones, 1)]
    for end in ("to_position", "created_before"):  # must not come before the beginning, nor after the log's end
        spelled.pop(end, None)
    if "metadata" in body:
        spelled["metadata"] = _bounded(body["metadata"])
    return spelled


@atexit.register
def _tell() -> None:
    STAGE.answers.write_text(json.dumps(MET))
