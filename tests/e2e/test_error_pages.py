"""The scripts on the error pages do what the pages say, run as they stand: first the error, then what helps."""

import secrets
import shutil
from http import HTTPStatus

import pytest

from services.gateway.domain.error_examples import EXAMPLES
from tests.e2e.market import Market
from tests.support.error_pages import check, error_page, run

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(shutil.which("curl") is None, reason="the pages are for curl")]

ELSEWHERE = {"RATE_LIMITED"}
"""The stack of the stories has no limits: tests/integration/gateway/test_error_pages.py runs this page on a gateway that has."""
SURE = sorted(code for code, example in EXAMPLES.items() if example.occurs == "always" and code not in ELSEWHERE)


@pytest.fixture
async def shell(market: Market, stack: dict[str, str]) -> dict[str, str]:
    """The environment of a script: keys of a marketplace where nothing has happened yet."""
    environment = {name: stack[name] for name in ("OFFERHUB_API_URL", "STELLAR_USDC_ISSUER")}
    marketplace = f"errors-{secrets.token_hex(6)}"
    for name, scopes in (("OFFERHUB_API_KEY", ["read", "write"]), ("OFFERHUB_SUPPORT_KEY", ["read", "write", "support"])):
        body = {"name": name, "scopes": scopes, "marketplace": marketplace}
        environment[name] = (await market.make("/auth/api-keys", body, key=stack["OFFERHUB_MASTER_KEY"]))["key"]
    return environment


@pytest.mark.parametrize("code", SURE)
async def test_the_page_of_a_code_provokes_it_and_mends_it(code: str, shell: dict[str, str]) -> None:
    page = error_page(code)
    first, *rest = await run(page.script, shell)
    check(page, first)
    assert [answer.status in (HTTPStatus.OK, HTTPStatus.CREATED) for answer in rest] == [True] * bool(EXAMPLES[code].mended)
