"""What the API tells about itself: its OpenAPI document, and the same as a page."""

from collections.abc import Sequence

import msgspec

from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.entrypoints.http import html
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.openapi import described
from services.gateway.entrypoints.http.reference import Reference
from services.gateway.entrypoints.http.routing import ApiRoute, Operation


def documents(routes: Sequence[ApiRoute]) -> tuple[Operation, ...]:
    """Make the operations that show what these routes do; everything they answer is made here, once."""
    document = described(routes)
    encoded = Answer(200, msgspec.json.encode(document))
    page = html.page("API reference · OFFER-HUB", Reference(document).page())
    style = Answer(200, html.STYLE, content_type="text/css; charset=utf-8")

    async def get_openapi(call: Calling) -> Answer:  # noqa: ARG001 - every endpoint is given its call
        """Describe this API."""
        return encoded

    async def get_reference(call: Calling) -> Answer:  # noqa: ARG001 - as above
        """Show the reference page."""
        return page

    async def get_style(call: Calling) -> Answer:  # noqa: ARG001 - as above
        """Send the style sheet of all pages."""
        return style

    return (
        Operation("GET", "/openapi.json", get_openapi, Scope.PUBLIC),
        Operation("GET", "/docs", get_reference, Scope.PUBLIC),
        Operation("GET", "/docs/style.css", get_style, Scope.PUBLIC),
    )
