"""The server: where everything is, and what every request passes."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from deploy.sandbox.horizon.endpoints import control, entries, history, network, people, submit
from deploy.sandbox.horizon.endpoints.friendbot import FRIENDBOT, Friendbot, fund
from deploy.sandbox.horizon.faults.middleware import CONTROL, make_wrong
from deploy.sandbox.horizon.faults.rules import Rulebook
from deploy.sandbox.horizon.node import Node
from deploy.sandbox.horizon.rate import Limiter
from deploy.sandbox.horizon.resources.problems import Problem, not_found, rate_limited
from deploy.sandbox.horizon.serving import NODE, RULES, wants_stream

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LIMITER: web.AppKey[Limiter] = web.AppKey("limiter", Limiter)
_BODY_BYTES_MAX = 512 * 1024


def build(node: Node) -> web.Application:
    """Put the server together."""
    app = web.Application(middlewares=[guard, make_wrong, tell_problems], client_max_size=_BODY_BYTES_MAX)
    app[NODE] = node
    app[RULES] = Rulebook()
    app[FRIENDBOT] = Friendbot()
    app[LIMITER] = Limiter(node.settings.requests_per_hour)
    _route_history(app)
    _route_entries(app)
    _route_control(app)
    return app


def _route_history(app: web.Application) -> None:
    lists = {
        "transactions": history.listing(history.transactions),
        "operations": history.listing(history.operations),
        "payments": history.listing(history.payments),
        "effects": history.listing(history.effects),
    }
    for name, handler in lists.items():
        app.router.add_get(f"/{name}", handler)
        app.router.add_get(f"/accounts/{{account_id}}/{name}", handler)
        app.router.add_get(f"/ledgers/{{ledger_id}}/{name}", handler)
        if name != "transactions":
            app.router.add_get(f"/transactions/{{hash}}/{name}", handler)
        if name in {"transactions", "operations"}:
            app.router.add_get(f"/claimable_balances/{{balance_id}}/{name}", handler)
    app.router.add_get("/operations/{operation_id}/effects", lists["effects"])
    app.router.add_get("/ledgers", history.listing(history.ledgers))
    app.router.add_get("/ledgers/{ledger_id}", history.one_ledger)
    app.router.add_get("/transactions/{hash}", history.one_transaction)
    app.router.add_get("/operations/{operation_id}", history.one_operation)
    app.router.add_post("/transactions", submit.submit)
    app.router.add_post("/transactions_async", submit.submit_async)


def _route_entries(app: web.Application) -> None:
    app.router.add_get("/", network.root)
    app.router.add_get("/health", network.health)
    app.router.add_get("/fee_stats", network.fee_stats)
    app.router.add_get("/accounts", history.listing(entries.accounts, is_dated=True))
    app.router.add_get("/accounts/{account_id}", entries.one_account)
    app.router.add_get("/accounts/{account_id}/data/{key}", entries.account_data)
    app.router.add_get("/claimable_balances", history.listing(entries.claimables, is_dated=True))
    app.router.add_get("/claimable_balances/{balance_id}", entries.one_claimable)
    app.router.add_get("/assets", history.listing(entries.assets, is_dated=True))
    app.router.add_route("*", "/friendbot", fund)


def _route_control(app: web.Application) -> None:
    app.router.add_get(f"{CONTROL}/network", control.network)
    app.router.add_put(f"{CONTROL}/network", control.change)
    app.router.add_post(f"{CONTROL}/reset", control.reset)
    app.router.add_post(f"{CONTROL}/ledgers", control.close)
    app.router.add_post(f"{CONTROL}/clock", control.advance)
    app.router.add_post(f"{CONTROL}/accounts", people.make)
    app.router.add_post(f"{CONTROL}/payments", people.pay)
    app.router.add_get(f"{CONTROL}/balances", control.balances)
    app.router.add_get(f"{CONTROL}/transactions", control.transactions)
    app.router.add_get(f"{CONTROL}/faults", control.rules)
    app.router.add_post(f"{CONTROL}/faults", control.add_rule)
    app.router.add_delete(f"{CONTROL}/faults", control.clear_rules)
    app.router.add_delete(f"{CONTROL}/faults/{{name}}", control.remove_rule)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep strangers off the handles, and count everybody's requests. Streams are not counted."""
    if request.path.startswith(CONTROL):
        if not control.is_loopback(request.remote):
            return control.strangers_keep_out().response()
        return await handler(request)
    limiter = request.app[LIMITER]
    if not limiter.per_hour or wants_stream(request):
        return await handler(request)
    verdict = limiter.ask(request.remote or "", asyncio.get_running_loop().time())
    response = await handler(request) if verdict.is_allowed else rate_limited().response()
    if not response.prepared:
        response.headers.update(verdict.headers())
    return response


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write problems down, and what aiohttp has no place for."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPNotFound:
        return not_found().response()
