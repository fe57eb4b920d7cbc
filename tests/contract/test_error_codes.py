"""Every code a service can refuse with is one the gateway can explain."""

import re
from pathlib import Path

import pytest

from services.gateway.domain.errors import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
_REFUSED = re.compile(r"""(?:Refusal|refuse|ApiError)\(\s*"([A-Z][A-Z_]+)\"""")


def _refused() -> dict[str, Path]:
    files = [path for path in ROOT.glob("services/*/**/*.py") if "migrations" not in path.parts]
    return {code: path.relative_to(ROOT) for path in files for code in _REFUSED.findall(path.read_text())}


@pytest.mark.parametrize(("code", "path"), sorted(_refused().items()))
def test_a_refusal_is_in_the_catalogue(code: str, path: Path) -> None:
    assert code in CATALOGUE, f"{path} refuses with {code}"


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
