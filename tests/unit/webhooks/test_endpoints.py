"""What may be registered, and which events it gets."""

import pytest

from libs.common.contracts.catalog import EVENTS
from services.webhooks.domain.endpoints import description_problem, filters_problem, url_problem
from services.webhooks.domain.event_filters import wants


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://example.com:8443/a?b=c", "https://[::1]/x", "https://xn--bcher-kva.example/"]
)
def test_an_https_url_with_a_host_is_accepted(url: str) -> None:
    assert url_problem(url, allow_private=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user:password@example.com",
        "https://user@example.com",
        "https://example.com:0",
        "https://example.com:99999",
        "https://exa mple.com",
        "https://example.com/\r\nX: y",
        "https://bücher.example",
        "https://[::1",
        "https://example.com/" + "x" * 2048,
    ],
)
def test_what_is_no_reachable_url_is_refused(url: str) -> None:
    problem = url_problem(url, allow_private=True)
    assert problem is not None
    assert problem.field == "url"


def test_plain_http_is_for_private_networks() -> None:
    assert url_problem("http://example.com", allow_private=True) is None
    assert url_problem("http://example.com", allow_private=False) is not None


@pytest.mark.parametrize("filters", [("*",), ("order.*",), ("escrow.released",), tuple(EVENTS)])
def test_events_of_the_catalogue_may_be_asked_for(filters: tuple[str, ...]) -> None:
    assert filters_problem(filters) is None


@pytest.mark.parametrize("bad", ["order", "order.", "order.**", "nothing.*", "order.created ", "**", "", ".*", "ORDER.*"])
def test_an_unknown_event_is_named(bad: str) -> None:
    problem = filters_problem(("escrow.released", bad))
    assert problem is not None
    assert problem.message == f"unknown event: {bad}"


@pytest.mark.parametrize("filters", [(), ("*",) * 101])
def test_the_number_of_filters_is_limited(filters: tuple[str, ...]) -> None:
    assert filters_problem(filters) is not None


def test_a_description_is_short() -> None:
    assert description_problem(None) is None
    assert description_problem("x" * 500) is None
    assert description_problem("x" * 501) is not None


@pytest.mark.parametrize(
    ("filters", "event_type", "wanted"),
    [
        (("*",), "order.created", True),
        (("order.*",), "order.created", True),
        (("order.created",), "order.created", True),
        (("order.created",), "order.closed", False),
        (("escrow.*", "dispute.opened"), "dispute.opened", True),
        (("escrow.*",), "order.created", False),
    ],
)
def test_an_endpoint_gets_what_it_asked_for(filters: tuple[str, ...], event_type: str, wanted: bool) -> None:  # noqa: FBT001
    assert wants(endpoint_id="wh_1", filters=filters, event_type=event_type, aggregate="order:1") is wanted


def test_that_an_endpoint_is_out_of_reach_is_not_sent_to_itself() -> None:
    event = {"event_type": "webhook.exhausted", "aggregate": "webhook:wh_1", "filters": ("*",)}
    assert not wants(endpoint_id="wh_1", **event)  # type: ignore[arg-type]
    assert wants(endpoint_id="wh_2", **event)  # type: ignore[arg-type]
