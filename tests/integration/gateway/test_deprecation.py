"""An operation that will go away says so: in every answer of its own, and in the document."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from libs.common.contracts.replies.common import Done
from services.gateway.app import TABLE
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.deprecation import Deprecation
from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.settings import GatewaySettings
from tests.support.gateway import Served, serving

pytestmark = pytest.mark.integration
OLD = Deprecation(date(2026, 1, 15), date(2026, 9, 1), "https://docs.example.com/changes#sketches")


async def get_sketch(call: Calling, user_id: str) -> Answer:
    """Get a sketch.

    For the tests of this file.
    """
    if user_id == "usr_none":
        raise ApiError("USER_NOT_FOUND")
    return resource(msgspec.json.encode(Done(user_id)))


OPERATION = Operation("GET", "/sketches/{user_id}", get_sketch, Scope.READ, Done, shown={"id": "usr_1"}, deprecated=OLD)


@pytest.fixture
async def old(config: GatewaySettings) -> AsyncIterator[Served]:
    async with serving(config, table=(*TABLE, ("Sketches", (OPERATION,)))) as served:
        yield served


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [("/sketches/usr_1", None, 200), ("/sketches/usr_none", None, 404), ("/sketches/usr_1", "", 401), ("/sketches/x", None, 404)],
)
async def test_every_answer_of_a_deprecated_operation_tells_since_when_until_when_and_where(
    old: Served, path: str, key: str | None, status: int
) -> None:
    answer = await old.client.get(path, headers=None if key is None else {"Authorization": key})
    assert answer.status_code == status
    assert answer.headers["deprecation"] == f"@{int(datetime(2026, 1, 15, tzinfo=UTC).timestamp())}"
    assert parsedate_to_datetime(answer.headers["sunset"]) == datetime(2026, 9, 1, tzinfo=UTC)
    assert answer.headers["sunset"] == "Tue, 01 Sep 2026 00:00:00 GMT"
    assert f'<{OLD.link}>; rel="deprecation"' in answer.headers["link"]
    assert f'<{OLD.link}>; rel="sunset"' in answer.headers["link"]


async def test_other_operations_say_nothing_of_the_kind(old: Served) -> None:
    answer = await old.client.get("/me")
    assert {"deprecation", "sunset", "link"} & answer.headers.keys() == set()


async def test_the_document_marks_it_and_its_answers(old: Served) -> None:
    document = (await old.client.get("/openapi.json")).json()
    OpenAPIV31SpecValidator(document).validate()
    entry = document["paths"]["/api/v1/sketches/{user_id}"]["get"]
    assert (entry["deprecated"], entry["x-sunset"], entry["externalDocs"]["url"]) == (True, "2026-09-01", OLD.link)
    for response in entry["responses"].values():
        assert {"Deprecation", "Sunset", "Link"} <= response["headers"].keys()
    others = [entry for path in document["paths"].values() for entry in path.values() if entry["operationId"] != "get_sketch"]
    assert [entry["operationId"] for entry in others if "deprecated" in entry] == []


def test_less_than_six_months_of_notice_are_refused() -> None:
    with pytest.raises(ValueError, match="six months' notice"):
        Deprecation(date(2026, 1, 15), date(2026, 7, 1), "https://docs.example.com")
