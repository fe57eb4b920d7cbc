"""What happened: ledgers, transactions, operations, payments, effects."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from stellar_sdk import StrKey

from deploy.sandbox.horizon.faults.rules import distort
from deploy.sandbox.horizon.history.reads import Filters
from deploy.sandbox.horizon.node import View
from deploy.sandbox.horizon.pages import PageQuery, base_of, page, page_query
from deploy.sandbox.horizon.resources.network import ledger
from deploy.sandbox.horizon.resources.operations import effect, operation
from deploy.sandbox.horizon.resources.problems import bad_request, not_found
from deploy.sandbox.horizon.resources.transactions import Body, transaction
from deploy.sandbox.horizon.serving import LATEST_LEDGER, answer, fired, resource, view_of, wants_stream
from deploy.sandbox.horizon.stream import Produce, stream_records

_HASH_LENGTH = 64


def listing(produce: Produce, *, is_dated: bool = False) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Serve records as a page, or as a stream to those who ask for one. Pages of entries are dated, those of history are not."""

    async def handle(request: web.Request) -> web.StreamResponse:
        view = view_of(request)
        query = page_query(request, view.ledger)
        if wants_stream(request):
            return await stream_records(request, query, produce)
        records = distort(produce(request, view, query), fired(request))
        return answer(page(request, query, records), headers={LATEST_LEDGER: str(view.ledger)} if is_dated else None)

    return handle


def transactions(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List transactions."""
    found = view.reads.transactions(query.window(view.ledger), _filters(request, view))
    return [transaction(body, base_of(request)) for body in found]


def operations(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List operations."""
    return _operations(request, view, query, _filters(request, view))


def payments(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List operations that move money: payments, creations of accounts, merges."""
    return _operations(request, view, query, _filters(request, view, only_payments=True))


def _operations(request: web.Request, view: View, query: PageQuery, filters: Filters) -> Sequence[Body]:
    base = base_of(request)
    shown = [operation(body, base) for body in view.reads.operations(query.window(view.ledger), filters)]
    return [_joined(request, view, body) for body in shown]


def _joined(request: web.Request, view: View, body: Body) -> Body:
    """Put an operation's transaction into it if that is asked for."""
    join = request.query.get("join", "")
    if join not in {"", "transactions"}:
        raise bad_request("join", "Accepted values: transactions")
    if not join:
        return body
    found = view.reads.transaction(str(body["transaction_hash"]), as_of=view.ledger)
    return body if found is None else {**body, "transaction": transaction(found, base_of(request))}


def effects(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List effects."""
    filters = _filters(request, view)
    found = view.reads.effects(query.window(view.ledger), filters, place=query.part())
    return [effect(body, base_of(request)) for body in found]


def ledgers(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List ledgers."""
    return [ledger(row, base_of(request)) for row in view.reads.ledgers(query.window(view.ledger))]


async def one_transaction(request: web.Request) -> web.StreamResponse:
    """Show a transaction by either of its hashes."""
    view, digest = view_of(request), _hash(request)
    found = view.reads.transaction(digest, as_of=view.ledger)
    if found is None:
        raise not_found()
    return resource(request, transaction(found, base_of(request), digest))


async def one_operation(request: web.Request) -> web.StreamResponse:
    """Show an operation."""
    view = view_of(request)
    found = view.reads.operation(_number(request, "operation_id"), as_of=view.ledger)
    if found is None:
        raise not_found()
    return resource(request, _joined(request, view, operation(found, base_of(request))))


async def one_ledger(request: web.Request) -> web.StreamResponse:
    """Show a ledger."""
    view, sequence = view_of(request), _number(request, "ledger_id")
    found = view.reads.ledger(sequence) if sequence <= view.ledger else None
    if found is None:
        raise not_found()
    return resource(request, ledger(found, base_of(request)))


def account_in(request: web.Request) -> str:
    """Return the account a path is about.

    Raises:
        Problem: it is not an address.
    """
    account = request.match_info["account_id"]
    if not StrKey.is_valid_ed25519_public_key(account):
        raise bad_request("account_id", "invalid address")
    return account


def _filters(request: web.Request, view: View, *, only_payments: bool = False) -> Filters:
    """Read from path and query what a list is to be of.

    Raises:
        Problem: what the path names is not there.
    """
    named, flag = request.match_info, request.query.get("include_failed", "")
    if flag not in {"", "true", "false"}:
        raise bad_request("include_failed", "Filter should be true or false")
    with_failed = flag == "true"
    if "account_id" in named:
        account = account_in(request)
        if view.account(account) is None and not view.reads.is_known(account, as_of=view.ledger):
            raise not_found()
        return Filters(subject=account, with_failed=with_failed, only_payments=only_payments)
    if "balance_id" in named:
        return Filters(subject=named["balance_id"], with_failed=with_failed, only_payments=only_payments)
    if "ledger_id" in named:
        sequence = _number(request, "ledger_id")
        if not 0 < sequence <= view.ledger:
            raise not_found()
        return Filters(ledger=sequence, with_failed=with_failed, only_payments=only_payments)
    if "hash" in named:
        place = view.reads.transaction_id(_hash(request), as_of=view.ledger)
        if place is None:
            raise not_found()
        return Filters(transaction=place, with_failed=True, only_payments=only_payments)
    if "operation_id" in named:
        return Filters(operation=_number(request, "operation_id"))
    return Filters(with_failed=with_failed, only_payments=only_payments)


def _hash(request: web.Request) -> str:
    digest = request.match_info["hash"]
    if len(digest) != _HASH_LENGTH or not set(digest) <= set("0123456789abcdef"):
        raise bad_request("tx_id", "invalid hash format")
    return digest


def _number(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not text.isdecimal() or int(text) >= 1 << 63:
        raise bad_request(name, "unparseable value")
    return int(text)
