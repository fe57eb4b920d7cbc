"""What there is: accounts, their data, claimable balances, assets."""

import base64
from collections import defaultdict
from collections.abc import Callable, Sequence

from aiohttp import web

from deploy.sandbox.horizon.chain.entries import Account, Claimable
from deploy.sandbox.horizon.chain.values import NATIVE, issuer_of
from deploy.sandbox.horizon.endpoints.history import account_in
from deploy.sandbox.horizon.node import View
from deploy.sandbox.horizon.pages import PageQuery, base_of, page_query
from deploy.sandbox.horizon.resources.problems import bad_request, not_found
from deploy.sandbox.horizon.resources.state import Holdings, account, asset, claimable
from deploy.sandbox.horizon.resources.transactions import Body, instant
from deploy.sandbox.horizon.serving import resource, view_of, wants_stream
from deploy.sandbox.horizon.stream import stream_object


def _closed_at(view: View) -> Callable[[int], str]:
    return lambda ledger: instant(view.header(ledger).close_time)


def _account(request: web.Request, view: View) -> Body:
    found = view.account(account_in(request))
    if found is None:
        raise not_found()
    return account(found, base_of(request), _closed_at(view))


async def one_account(request: web.Request) -> web.StreamResponse:
    """Show an account; its sequence number and the Latest-Ledger header belong together."""
    view = view_of(request)
    if wants_stream(request):
        return await stream_object(request, _account, page_query(request, view.ledger).limit)
    return resource(request, _account(request, view), view=view)


async def account_data(request: web.Request) -> web.StreamResponse:
    """Show one named value of an account."""
    view = view_of(request)
    owner = view.account(account_in(request))
    found = None if owner is None else owner.data.get(request.match_info["key"])
    if found is None:
        raise not_found()
    sponsor = {"sponsor": found.sponsor} if found.sponsor else {}
    return resource(request, {"value": base64.b64encode(found.value).decode(), **sponsor}, view=view)


async def one_claimable(request: web.Request) -> web.StreamResponse:
    """Show a claimable balance."""
    view = view_of(request)
    found = view.claimable(request.match_info["balance_id"])
    if found is None:
        raise not_found()
    return resource(request, claimable(found, base_of(request), _closed_at(view)), view=view)


def accounts(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List accounts by a signer, an asset they trust, or their sponsor.

    Raises:
        Problem: it is asked for all accounts, or for two things at once.
    """
    named = {name: request.query[name] for name in ("signer", "asset", "sponsor") if request.query.get(name)}
    if len(named) != 1:
        raise bad_request("signer", "give exactly one of: signer, asset, sponsor")
    ((name, value),) = named.items()
    tests: dict[str, Callable[[Account], bool]] = {
        "signer": lambda each: value == each.id or any(signer.key == value for signer in each.signers),
        "asset": lambda each: value in each.lines,
        "sponsor": lambda each: value in _sponsors(each),
    }
    found = {each.id: each for each in view.entries() if isinstance(each, Account) and tests[name](each)}
    return [account(found[key], base_of(request), _closed_at(view)) for key in _slice(sorted(found), query)]


def _sponsors(entry: Account) -> set[str | None]:
    parts = [each.sponsor for each in entry.signers] + [each.sponsor for each in entry.lines.values()]
    return {entry.sponsor, *parts, *(each.sponsor for each in entry.data.values())}


def claimables(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List claimable balances, by asset, sponsor or claimant if that is asked for."""
    asset_named, sponsor, claimant = (request.query.get(name, "") for name in ("asset", "sponsor", "claimant"))
    found: dict[str, Claimable] = {}
    for each in view.entries():
        if (
            isinstance(each, Claimable)
            and asset_named in {"", each.asset}
            and sponsor in {"", each.sponsor}
            and claimant in {"", *(one.destination for one in each.claimants)}
        ):
            found[f"{each.last_modified:010d}-{each.id}"] = each
    number, _, balance = query.cursor.partition("-")
    place = f"{int(number):010d}-{balance}" if number.isdecimal() else ""
    keys = _slice(sorted(found), PageQuery(place, query.limit, query.is_ascending))
    return [claimable(found[key], base_of(request), _closed_at(view)) for key in keys]


def assets(request: web.Request, view: View, query: PageQuery) -> Sequence[Body]:
    """List assets that somebody holds or may claim, by code and issuer if that is asked for."""
    code, issuer = request.query.get("asset_code", ""), request.query.get("asset_issuer", "")
    found: defaultdict[str, Holdings] = defaultdict(Holdings)
    for each in view.entries():
        if isinstance(each, Account):
            for name, line in each.lines.items():
                found[name].add_line(line)
        elif each.asset != NATIVE:
            found[each.asset].claimables += 1
            found[each.asset].set_aside += each.amount
    shown = {
        str(body["paging_token"]): body
        for name, holdings in found.items()
        if code in {"", name.partition(":")[0]} and issuer in {"", issuer_of(name)}
        for body in [asset(name, holdings, view.account(issuer_of(name)))]
    }
    return [shown[key] for key in _slice(sorted(shown), query)]


def _slice(keys: Sequence[str], query: PageQuery) -> Sequence[str]:
    """Take the part of sorted keys that a page is about."""
    if not query.is_ascending:
        keys = [key for key in reversed(keys) if not query.cursor or key < query.cursor]
        return keys[: query.limit]
    return [key for key in keys if key > query.cursor][: query.limit]
