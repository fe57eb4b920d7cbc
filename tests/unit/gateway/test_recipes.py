"""Every operation of the API is in the authorisation matrix, with every id it takes."""

import json
import re

import pytest

from services.gateway.app import build_api
from services.gateway.entrypoints.http.openapi import document
from services.gateway.entrypoints.http.routing import ApiRoute
from tests.support.matrix import Described, described
from tests.support.recipes import ELSEWHERE, NOT_OURS, RECIPES

ROUTES = [route for route in build_api().router.routes if isinstance(route, ApiRoute)]
OPERATIONS = {operation.name: operation for operation in described(json.loads(document(ROUTES)))}
_ID = re.compile(r"(.*_)?id|cursor|ref|code|opened_by|requested_by|marketplace|mode")


def test_there_is_a_recipe_for_every_operation_and_no_other() -> None:
    """Add the missing ones to tests/support/recipes.py: one valid call each."""
    assert set(RECIPES) == set(OPERATIONS)


def test_the_document_tells_everything_the_matrix_needs() -> None:
    assert {operation.scope for operation in OPERATIONS.values()} == {"public", "any", "read", "write", "support", "master"}
    assert all(operation.successes for operation in OPERATIONS.values())
    assert ("path", "order_id") in OPERATIONS["create_escrow"].inputs
    assert ("query", "buyer_id") in OPERATIONS["list_orders"].inputs
    assert ("body", "seller_id") in OPERATIONS["create_order"].inputs


def ids(operation: Described) -> set[tuple[str, str]]:
    skipped = NOT_OURS | ELSEWHERE.get(operation.name, set())
    return {(where, name) for where, name in operation.inputs if _ID.fullmatch(name) and name not in skipped}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_a_recipe_fills_every_id_that_its_operation_takes(name: str) -> None:
    attempt = await RECIPES[name](FakeShop())  # type: ignore[arg-type] # it answers whatever a recipe asks
    filled = {(slot.where, slot.name) for slot in attempt.slots()}
    assert filled == ids(OPERATIONS[name]), "an id that nobody else's is tried in place of"


class FakeShop:
    """Answers every question of a recipe with something, so that its shape can be looked at without any server."""

    mark = marketplace = "shop"
    mode = "live"
    hooks = "http://127.0.0.1:9"

    def __init__(self) -> None:
        self.sample = Anything()
        self.market = self

    async def get(self, _: str) -> "FakeShop":
        return self

    def json(self) -> object:
        return Anything()

    async def replay(self) -> tuple[str, str]:
        return "an id", "another id"

    async def make(self, *_: object) -> object:
        return Anything()

    async def _id(self, *_: object, **__: object) -> str:
        return "usr_1"

    order = user = dispute = webhook = withdrawal = second_factor = _id

    async def key(self, **_: object) -> object:
        return Anything()


class Anything(dict[str, object]):
    """Has every key; its values are texts, but for the two that wrap others."""

    def __missing__(self, name: str) -> object:
        return Anything() if name in ("data", "dispute") else "usr_1"
