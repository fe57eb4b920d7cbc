"""The network as a whole: where everything is, how well it is, what it costs."""

from aiohttp import web

from deploy.sandbox.horizon.pages import base_of
from deploy.sandbox.horizon.resources.network import fee_stats as shown_fees
from deploy.sandbox.horizon.resources.network import root as shown_root
from deploy.sandbox.horizon.serving import NODE, answer, resource, view_of


async def root(request: web.Request) -> web.StreamResponse:
    """Show where everything is."""
    passphrase = request.app[NODE].settings.passphrase
    return resource(request, shown_root(view_of(request).header(), passphrase, base_of(request)))


async def fee_stats(request: web.Request) -> web.StreamResponse:
    """Show what the last ledgers charged."""
    view = view_of(request)
    return resource(request, shown_fees(view.header(), view.row(view.ledger).offered, view.reads.fee_rates(as_of=view.ledger)))


async def health(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - whoever asks
    """Say that it runs."""
    return answer({"database_connected": True, "core_up": True, "core_synced": True})
