"""What to tell a caller who asked for a path or a method that does not exist."""

from collections.abc import Iterable, Iterator

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.routing import PREFIX, ApiRoute


def unrouted(routes: Iterable[BaseRoute], scope: Scope) -> ApiError:
    """Name the methods that the path takes, or the path that was probably meant."""
    known = [route for route in routes if isinstance(route, ApiRoute)]
    allowed = sorted({route.operation.method for route in known if route.matches(scope)[0] is not Match.NONE})
    if allowed:
        return ApiError("METHOD_NOT_ALLOWED", allowed_methods=allowed)
    for path in _guesses(scope["path"]):
        if any(route.matches({**scope, "path": path})[0] is not Match.NONE for route in known):
            return ApiError("NOT_FOUND", did_you_mean=path)
    return ApiError("NOT_FOUND")


def _guesses(path: str) -> Iterator[str]:
    """Yield what a path may have been meant to be: without its slip of case, slash, number or prefix."""
    whole = path if path.startswith(PREFIX) else PREFIX + path
    trimmed = PREFIX + whole.removeprefix(PREFIX).replace("//", "/").rstrip("/")
    resource, *rest = trimmed.removeprefix(PREFIX + "/").split("/")
    for name in (resource, resource.lower(), resource.lower() + "s"):
        yield "/".join((PREFIX, name, *rest))
