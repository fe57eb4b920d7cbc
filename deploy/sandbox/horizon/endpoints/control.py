"""Handles that no network has: close a ledger, move the clock, make things go wrong, look at everything. Loopback only."""

import ipaddress
from typing import Annotated, Any, Final, TypeVar

import msgspec
from aiohttp import web

from deploy.sandbox.horizon.chain.entries import Account, Claimable
from deploy.sandbox.horizon.chain.values import NATIVE, amount
from deploy.sandbox.horizon.faults.rules import Rule
from deploy.sandbox.horizon.history.reads import Filters, Window
from deploy.sandbox.horizon.node import Node
from deploy.sandbox.horizon.pages import LIMIT_MAX, base_of
from deploy.sandbox.horizon.resources.network import ledger
from deploy.sandbox.horizon.resources.problems import Problem, bad_request, not_found
from deploy.sandbox.horizon.serving import NODE, RULES, answer

CLOSES_MAX: Final = 1_000
T = TypeVar("T")

Count = Annotated[int, msgspec.Meta(ge=1, le=CLOSES_MAX)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Close(msgspec.Struct, forbid_unknown_fields=True):
    """How many ledgers to close."""

    count: Count = 1


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    """How far to move the clock."""

    seconds: Amount


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What to change about the network: fees and reserves in stroops, capacity in operations a ledger.

    Below `least_bid` an operation no transaction gets into a ledger, as when others bid more.
    """

    base_fee: Amount | None = None
    base_reserve: Amount | None = None
    capacity: Count | None = None
    least_bid: Amount | None = None
    is_paused: bool | None = None


async def close(request: web.Request) -> web.StreamResponse:
    """Close ledgers now."""
    node = request.app[NODE]
    wanted = await read_body(request, Close)
    for _ in range(wanted.count):
        await node.close()
    return answer(ledger(node.view().row(node.latest), base_of(request)))


async def advance(request: web.Request) -> web.StreamResponse:
    """Move the clock on."""
    node = request.app[NODE]
    node.clock.advance((await read_body(request, Advance)).seconds)
    return answer({"now": node.clock.now()})


async def change(request: web.Request) -> web.StreamResponse:
    """Change the network, from the next ledger on."""
    node = request.app[NODE]
    wanted = await read_body(request, Change)
    for name in ("base_fee", "base_reserve", "capacity", "least_bid"):
        if (value := getattr(wanted, name)) is not None:
            setattr(node.chain, name, value)
    if wanted.is_paused is not None:
        node.is_paused = wanted.is_paused
    return answer(_network(node))


async def reset(request: web.Request) -> web.StreamResponse:
    """Begin the network anew."""
    node = request.app[NODE]
    await node.reset()
    return answer(_network(node))


async def add_rule(request: web.Request) -> web.StreamResponse:
    """Make something go wrong from now on."""
    try:
        name = request.app[RULES].add(await read_body(request, Rule))
    except ValueError as error:
        raise bad_request("rule", str(error)) from None
    return answer({"name": name}, status=201)


async def rules(request: web.Request) -> web.StreamResponse:
    """Show what goes wrong, and how often it did."""
    return answer({"rules": request.app[RULES].counts()})


async def remove_rule(request: web.Request) -> web.StreamResponse:
    """End one rule."""
    if not request.app[RULES].remove(request.match_info["name"]):
        raise not_found()
    return web.Response(status=204)


async def clear_rules(request: web.Request) -> web.StreamResponse:
    """End all rules."""
    request.app[RULES].clear()
    return web.Response(status=204)


async def balances(request: web.Request) -> web.StreamResponse:
    """Show what everybody has as of one ledger: what is really so, whatever rules make others see."""
    node = request.app[NODE]
    view = node.view()
    held: dict[str, dict[str, str]] = {}
    aside: list[dict[str, str]] = []
    for entry in view.entries():
        match entry:
            case Account():
                lines = {asset: amount(line.balance) for asset, line in sorted(entry.lines.items())}
                held[entry.id] = {NATIVE: amount(entry.balance), **lines}
            case Claimable():
                aside.append({"id": entry.id, "asset": entry.asset, "amount": amount(entry.amount)})
    shown = {"ledger": view.ledger, "fee_pool": amount(node.chain.header.fee_pool)}
    return answer({**shown, "accounts": dict(sorted(held.items())), "claimable_balances": aside})


async def transactions(request: web.Request) -> web.StreamResponse:
    """Show all transactions in order, a line of JSON each, whatever rules make others see."""
    reads, latest = request.app[NODE].reads, request.app[NODE].latest
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    after: int | None = None
    while found := reads.transactions(Window(after, LIMIT_MAX, is_ascending=True, as_of=latest), Filters(with_failed=True)):
        await response.write(b"".join(msgspec.json.encode(body) + b"\n" for body in found))
        after = int(str(found[-1]["paging_token"]))
    return response


async def network(request: web.Request) -> web.StreamResponse:
    """Show how the network stands."""
    return answer(_network(request.app[NODE]))


def _network(node: Node) -> dict[str, Any]:
    chain = node.chain
    return {
        "passphrase": node.settings.passphrase,
        "root_account": node.root.public_key,
        "root_secret": node.root.secret,
        "latest_ledger": node.latest,
        "latest_hash": chain.hash.hex(),
        "now": node.clock.now(),
        "waiting": len(chain.queue),
        "base_fee": chain.base_fee,
        "base_reserve": chain.base_reserve,
        "capacity": chain.capacity,
        "least_bid": chain.least_bid,
        "is_paused": node.is_paused,
    }


async def read_body(request: web.Request, kind: type[T]) -> T:
    """Read what a handle is told.

    Raises:
        Problem: it is not understood.
    """
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise bad_request("body", str(error)) from None


def is_loopback(remote: str | None) -> bool:
    """Tell whether a caller is on this machine."""
    try:
        return ipaddress.ip_address((remote or "").removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False


def strangers_keep_out() -> Problem:
    """The handles are for this machine."""
    return Problem(403, "forbidden", "Forbidden", "The sandbox's own endpoints answer callers on its own machine only.")
