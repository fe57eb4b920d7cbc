"""The authorisation matrix: what each operation of the OpenAPI document must answer to each kind of caller."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from libs.common.kernel.ids import new_id
from tests.support.gateway import MASTER_KEY
from tests.support.recipes import Attempt, Ours, Slot
from tests.support.world import SCOPES, Shop, World

PREFIX: Final = "/api/v1"
_UNKNOWN: Final = {
    "user": "usr", "seller": "usr", "order": "ord", "dispute": "dsp", "webhook": "wh", "withdrawal": "wth", "delivery": "whd",
    "replay": "rpl", "event": "evt", "key": "key", "request": "req",
}  # fmt: skip


@dataclass(frozen=True)
class Described:
    """An operation as its document describes it."""

    name: str
    method: str
    path: str
    scope: str
    """`public` when the document asks for nothing."""
    successes: frozenset[int]
    needs_key: bool
    """Without an Idempotency-Key it is refused."""
    inputs: frozenset[tuple[str, str]]
    """(path, query or body; name) of everything it takes."""

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


def described(document: Mapping[str, Any]) -> Iterator[Described]:
    """Read the operations out of an OpenAPI document."""
    for path, entry in document["paths"].items():
        for method, operation in entry.items():
            inputs = {
                (item["in"], item["name"]) for item in operation.get("parameters", []) if item.get("in", "header") != "header"
            }
            yield Described(
                name=operation["operationId"],
                method=method.upper(),
                path=path.removeprefix(PREFIX),
                scope=operation.get("x-required-scope", "public"),
                successes=frozenset(int(status) for status in operation["responses"] if status.startswith("2")),
                needs_key={"$ref": "#/components/parameters/RequiredIdempotencyKey"} in operation["parameters"],
                inputs=frozenset(inputs | {("body", name) for name in _body(operation, document)}),
            )


def _body(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        name = schema.get("$ref", "").rpartition("/")[2]
        yield from (document["components"]["schemas"][name] if name else schema).get("properties", {})


@dataclass
class Trial:
    """One operation tried by everybody; `leaks` says what should not have happened."""

    world: World
    operation: Described
    leaks: list[str] = field(default_factory=list)

    async def send(self, attempt: Attempt, key: str, **headers: str) -> httpx.Response:
        """Make the call with a key."""
        return await self.call(attempt, f"Bearer {key}", **headers)

    async def call(self, attempt: Attempt, authorization: str | None, **headers: str) -> httpx.Response:
        """Make the call with this Authorization header, or without one."""
        path = self.operation.path.format(**{name: _plain(value) for name, value in attempt.path.items()})
        query = {name: _plain(value) for name, value in attempt.query.items()}
        body = None if attempt.body is None else {name: _plain(value) for name, value in attempt.body.items()}
        if authorization is not None:
            headers["Authorization"] = authorization
        if self.operation.needs_key:
            headers.setdefault("Idempotency-Key", new_id("req"))
        client = self.world.served.client
        request = client.build_request(self.operation.method, path, params=query or None, json=body, headers=headers)
        if authorization is None:
            del request.headers["Authorization"]
        return await client.send(request)

    def expect(self, met: bool, what: str, answer: httpx.Response) -> None:  # noqa: FBT001 - a fact, not a switch
        """Note a leak unless a fact is met."""
        if not met:
            self.leaks.append(f"{self.operation.name}: {what}: {answer.status_code} {answer.text[:300]}")

    async def nobody_gets_in(self, attempt: Attempt) -> None:
        """Without a key that is good here nothing is done, and nobody learns why beyond what is safe."""
        keys = self.world.shop.keys
        full = keys["full"]
        refused: dict[str, str | None] = {
            "no key": None,
            "an empty header": "",
            "no token": "Bearer",
            "another scheme": f"Basic {full}",
            "the key alone": full,
            "two tokens": f"Bearer {full} {full}",
            "malformed": "Bearer nonsense",
            "nearly": f"Bearer {full[:-1]}",
            **{name: f"Bearer {keys[name]}" for name in ("unknown", "expired", "revoked")},
        }
        usual = await self.send(attempt, keys["full"]) if self.operation.scope == "public" else None
        for name, header in refused.items():
            answer = await self.call(attempt, header)
            if usual is not None:
                self.expect(answer.status_code == usual.status_code, f"{name} on a public route", answer)
            else:
                message = "Missing Authorization header" if header is None else "Invalid API key"
                self.expect(_told(answer) == (401, "UNAUTHORIZED", message, {}), name, answer)
        elsewhere = await self.send(attempt, keys["elsewhere"])
        expected = 403 if usual is None else usual.status_code
        self.expect(elsewhere.status_code == expected, "a key bound to another address", elsewhere)

    async def scopes_are_separate(self, attempt: Attempt) -> None:
        """A key with one scope does what that scope allows, and nothing else."""
        wanted = self.operation.scope
        for scope in SCOPES:
            if wanted in ("public", "any", scope):
                continue
            answer = await self.send(attempt, self.world.shop.keys[scope])
            details = {"required_scope": wanted, "current_scopes": [scope]}
            met = answer.status_code == 403 and answer.json()["error"]["details"] == details
            self.expect(met, f"a {scope} key", answer)
        if wanted == "master":
            answer = await self.send(attempt, self.world.shop.keys["full"])
            self.expect(answer.status_code == 403, "a key with all scopes", answer)

    async def others_ids_are_unknown(self, attempt: Attempt) -> None:
        """Somebody else's id is answered as one that nobody has, wherever it stands."""
        full = self.world.shop.keys["full"]
        for slot in attempt.slots():
            for other in (self.world.rival, self.world.rehearsal):
                if other.sample[slot.ours.kind] != slot.ours.value:
                    await self._compare(attempt, slot, other, full)

    async def _compare(self, attempt: Attempt, slot: Slot, other: Shop, key: str) -> None:
        theirs, unknown = other.sample[slot.ours.kind], _unknown(slot.ours)
        shown = await self.send(attempt.with_value(slot, theirs), key)
        what = f"{slot.where} {slot.name} of {other.tenant}"
        self.expect(other.mark not in shown.text, f"{what} shows what is theirs", shown)
        if slot.name == "cursor" and shown.status_code == 200:
            return  # a list in the order of its ids starts at any id, and shows what is ours
        blank = await self.send(attempt.with_value(slot, unknown), key)
        same = _masked(shown, theirs) == _masked(blank, unknown)
        self.expect(same, f"{what} is told from an unknown one, which gets {blank.status_code} {blank.text[:200]}", shown)
        if slot.where == "path":
            self.expect(shown.status_code == 404, what, shown)
        if slot.ours.kind in ("marketplace", "mode"):
            self.expect(shown.status_code == 403, what, shown)

    async def others_get_nothing(self, attempt: Attempt) -> None:
        """With the key of another marketplace, or of the other mode, all of it is unknown."""
        slots = list(attempt.slots())
        if self.operation.is_write and not slots:
            return
        blank = attempt
        for slot in slots:
            blank = blank.with_value(slot, _unknown(slot.ours))
        for other in (self.world.rival, self.world.rehearsal):
            shown = await self.send(attempt, other.keys["full"])
            what = f"with the key of {other.tenant}"
            self.expect(self.world.shop.mark not in shown.text, f"{what} it shows what is not theirs", shown)
            if any(slot.ours.kind == "marketplace" for slot in slots):
                self.expect(shown.status_code == 403, what, shown)
            elif any(slot.where == "path" for slot in slots):
                answer = await self.send(blank, other.keys["full"])
                sent = [slot.ours.value for slot in slots]
                same = _masked(shown, *sent) == _masked(answer, *(slot.ours.value for slot in blank.slots()))
                self.expect(same and shown.status_code == 404, f"{what}, against {answer.text[:200]}", shown)
            elif slots:
                self.expect(shown.is_error or not shown.json()["data"], what, shown)

    async def whoever_may_can(self, attempt: Attempt) -> None:
        """The call was good all along. Under its Idempotency-Key it is done once, and nobody else gets its answer."""
        shop, rival = self.world.shop, self.world.rival
        key = MASTER_KEY if self.operation.scope == "master" else shop.keys.get(self.operation.scope, shop.keys["full"])
        once = {"Idempotency-Key": new_id("req")} if self.operation.is_write else {}
        done = await self.send(attempt, key, **once)
        self.expect(done.status_code in self.operation.successes, "a good call", done)
        if once:
            again = await self.send(attempt, key, **once)
            self.expect(again.content == done.content, f"the same again, first {done.text[:200]}", again)
            for name, other in (("another key", shop.keys["second"]), ("another marketplace's key", rival.keys["full"])):
                answer = await self.send(attempt, other, **once)
                copied = answer.status_code == 201 and answer.content == done.content
                self.expect(not copied and "idempotency-replay" not in answer.headers, f"its Idempotency-Key with {name}", answer)
            nobody = await self.call(attempt, None, **once)
            self.expect(nobody.status_code == 401, "its Idempotency-Key without a key", nobody)
        if attempt.undo:
            await self.world.served.client.post(attempt.undo)


def _unknown(ours: Ours) -> str:
    if ours.kind in _UNKNOWN:
        return new_id(_UNKNOWN[ours.kind])
    return {"marketplace": "nobodys", "mode": "test" if ours.value == "live" else "live"}.get(ours.kind, ours.value)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Ours) else value


def _told(answer: httpx.Response) -> tuple[int, str, str, Any]:
    error = answer.json().get("error", {})
    return answer.status_code, error.get("code", ""), error.get("message", ""), error.get("details")


def _masked(answer: httpx.Response, *values: str) -> tuple[int, str]:
    """An error without what is bound to differ: the ids that were sent, and the request's own. Of a new resource, its fields."""
    document = answer.json()
    if answer.status_code == 201:
        return 201, str(sorted(document["data"]))
    document.get("error", {}).pop("request_id", None)
    text = json.dumps(document, sort_keys=True)
    for value in values:
        text = text.replace(value, "…")
    return answer.status_code, text
