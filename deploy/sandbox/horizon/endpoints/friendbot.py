"""Lumens for nothing: Friendbot makes accounts, those that are asked for at once in one transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from stellar_sdk import StrKey

from deploy.sandbox.horizon.endpoints.own_transactions import apply, begin
from deploy.sandbox.horizon.node import Node
from deploy.sandbox.horizon.pages import base_of
from deploy.sandbox.horizon.resources.problems import Problem, bad_request
from deploy.sandbox.horizon.resources.transactions import Body, transaction
from deploy.sandbox.horizon.serving import NODE, answer, view_of

LUMENS: Final = "10000"
TOGETHER_MAX: Final = 100


@dataclass(slots=True)
class Friendbot:
    """The one that gives; `waiting` are those who came while it was busy."""

    waiting: dict[str, asyncio.Future[Body]] = field(default_factory=dict)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


FRIENDBOT: Final = web.AppKey("friendbot", Friendbot)


async def fund(request: web.Request) -> web.StreamResponse:
    """Make an account with 10,000 lumens.

    Raises:
        Problem: it is no address, is there already, or no ledger took it in time.
    """
    form = await request.post() if request.method == "POST" else {}
    named = request.query.get("addr") or form.get("addr") or ""
    if not isinstance(named, str) or not StrKey.is_valid_ed25519_public_key(named):
        raise bad_request("addr", "invalid address")
    if view_of(request).account(named) is not None:
        raise _funded()
    bot, node = request.app[FRIENDBOT], request.app[NODE]
    made = bot.waiting.setdefault(named, asyncio.get_running_loop().create_future())
    async with bot.busy:
        while not made.done():
            together = list(bot.waiting)[:TOGETHER_MAX]
            await _give(node, {account: bot.waiting.pop(account) for account in together})
    return answer(transaction(await made, base_of(request)))


async def _give(node: Node, wanted: dict[str, asyncio.Future[Body]]) -> None:
    """Make some accounts in one transaction, and tell each that waits what came of it."""
    try:
        body = await _submit(node, list(wanted))
    except Problem as problem:
        for future in wanted.values():
            future.set_exception(problem)
            future.exception()
        return
    for future in wanted.values():
        future.set_result(body)


async def _submit(node: Node, accounts: Sequence[str]) -> Body:
    missing = [account for account in accounts if node.view().account(account) is None]
    if not missing:
        raise _funded()
    builder = begin(node, node.root)
    for account in missing:
        builder.append_create_account_op(account, LUMENS)
    return await apply(node, builder, node.root)


def _funded() -> Problem:
    detail = "account already funded to starting balance"
    return Problem(400, "bad_request", "Bad Request", detail, {"invalid_field": "addr", "reason": detail})
