"""Every code a service can refuse with is one the gateway can explain."""

import re
from pathlib import Path

import pytest

from services.gateway.app import build_api
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.error_examples import EXAMPLES, Example
from services.gateway.entrypoints.http.routing import ApiRoute

ROOT = Path(__file__).resolve().parents[2]
_REFUSED = re.compile(r"""(?:Refusal|refuse|ApiError)\(\s*"([A-Z][A-Z_]+)\"""")

BY_CHANCE = {
    "REQUEST_TIMEOUT": "takes ten seconds of silence: tests/integration/gateway has the slow caller",
    "INTERNAL_ERROR": "a mistake of ours; no request is known that meets one",
    "SERVICE_UNAVAILABLE": "needs a broker or a database that is away: tests/integration/gateway/test_lost_services.py",
    "NOT_EXECUTED": "needs a gateway that died: tests/integration/gateway/test_leftovers.py",
    "OUTCOME_UNKNOWN": "needs a service that does not answer: tests/integration/gateway/test_lost_services.py",
    "IDEMPOTENCY_KEY_IN_PROGRESS": "needs a slow service: tests/integration/gateway/test_error_pages.py has one",
    "AMOUNT_ABOVE_MAXIMUM": "needs an operator who set a limit: tests/integration/payouts/test_limits.py has one",
    "SECOND_FACTOR_INVALID": "needs a wallet, which comes after its user: tests/integration/payouts/test_second_factors.py",
    "DESTINATION_NO_TRUSTLINE": "needs a network that answers in time: tests/integration/payouts/test_preflight.py has one",
}
"""Codes that no script can bring about at will, and why. Nothing is added here without a reason as good as these."""
NOT_YET = {
    "TOPUP_NOT_FOUND": "GET /topups/{topup_id}",
    "PROVIDER_TIMEOUT": "POST /topups",
}
"""Codes that wait for an operation, and for which: when it comes, they go from here."""


def _refused() -> dict[str, Path]:
    files = [path for path in ROOT.glob("services/*/**/*.py") if "migrations" not in path.parts]
    return {code: path.relative_to(ROOT) for path in files for code in _REFUSED.findall(path.read_text())}


@pytest.mark.parametrize(("code", "path"), sorted(_refused().items()))
def test_a_refusal_is_in_the_catalogue(code: str, path: Path) -> None:
    assert code in CATALOGUE, f"{path} refuses with {code}"


def test_every_code_has_an_example_that_provokes_it_or_stands_on_a_list_that_only_shrinks() -> None:
    assert set(EXAMPLES) == set(CATALOGUE)
    assert {code for code, example in EXAMPLES.items() if example.occurs == "by chance"} == set(BY_CHANCE)
    assert {code for code, example in EXAMPLES.items() if example.occurs == "not yet"} == set(NOT_YET)
    assert len(BY_CHANCE) <= 9
    assert len(NOT_YET) <= 2


def test_a_code_that_waits_for_an_operation_waits_for_one_that_is_not_there() -> None:
    operations = [route.operation for route in build_api().router.routes if isinstance(route, ApiRoute)]
    assert set(NOT_YET.values()) & {f"{operation.method} {operation.path}" for operation in operations} == set()


@pytest.mark.parametrize(("code", "example"), EXAMPLES.items())
def test_an_example_that_can_be_provoked_says_how_to_go_on_unless_waiting_is_all_there_is(code: str, example: Example) -> None:
    waits = CATALOGUE[code].retryable or example.occurs != "always"
    assert bool(example.mended) is not waits, code


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("VALIDATION_ERROR", 400),
        ("UNAUTHORIZED", 401),
        ("INSUFFICIENT_SCOPE", 403),
        ("USER_NOT_FOUND", 404),
        ("ORDER_NOT_FOUND", 404),
        ("INVALID_STATE", 409),
        ("IDEMPOTENCY_KEY_REUSED", 409),
        ("INSUFFICIENT_FUNDS", 422),
        ("RATE_LIMITED", 429),
        ("PROVIDER_TIMEOUT", 504),
    ],
)
def test_the_codes_of_the_reference_have_their_status(code: str, status: int) -> None:
    assert CATALOGUE[code].status == status
