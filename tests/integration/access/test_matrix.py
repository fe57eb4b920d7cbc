"""Every operation by every kind of caller, generated from the OpenAPI document, against the real services.

A new operation needs a recipe in tests/support/recipes.py; tests/unit/gateway/test_recipes.py says which are missing.
"""

import json

import pytest

from services.gateway.app import build_api
from services.gateway.entrypoints.http.openapi import document
from services.gateway.entrypoints.http.routing import ApiRoute
from tests.support.matrix import Trial, described
from tests.support.recipes import RECIPES
from tests.support.world import World

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

ROUTES = [route for route in build_api().router.routes if isinstance(route, ApiRoute)]
OPERATIONS = {operation.name: operation for operation in described(json.loads(document(ROUTES)))}


@pytest.mark.parametrize("name", sorted(RECIPES))
async def test_an_operation_does_for_each_caller_what_it_should_and_no_more(world: World, name: str) -> None:
    operation = OPERATIONS[name]
    trial = Trial(world, operation)
    attempt = await RECIPES[name](world.shop)
    before = await world.rows(world.shop)
    await trial.nobody_gets_in(attempt)
    await trial.scopes_are_separate(attempt)
    assert trial.leaks == []
    if operation.is_write:
        assert await world.rows(world.shop) == before
    before = await world.rows(world.rival, world.rehearsal)
    await trial.others_ids_are_unknown(attempt)
    await trial.others_get_nothing(attempt)
    if operation.is_write and any(attempt.slots()):
        assert await world.rows(world.rival, world.rehearsal) == before
    await trial.whoever_may_can(attempt)
    assert trial.leaks == []
