"""What may be registered, and which events it gets."""

import pytest

from libs.common.contracts.catalog import EVENTS
from services.webhooks.domain.endpoints import description_problem, filters_problem, url_problem
from services.webhooks.domain.event_filters import wants


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://EXAMPLE.com./",
        "https://example.com:443/",
        "https://example.com:8443/a?b=c",
        "https://1.1.1.1/x",
        "https://[2606:4700::1111]/x",
        "https://xn--bcher-kva.example/",
        "https://a_b.example/@x",
    ],
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
        "https://@example.com",
        "https://example.com\\@inside.example",
        "https://example.com\\.inside.example",
        "https://127%2e0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://1.2.3.4.5/",
        "https://example.0x1f/",
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


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://example.com:22/",
        "https://example.com:80/",
    ],
)
def test_addresses_and_ports_of_private_networks_need_the_setting(url: str) -> None:
    assert url_problem(url, allow_private=False) is not None
    assert url_problem(url, allow_private=True) is None


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
    assert problem.message.partition("; did you mean ")[0] == f"unknown event: {bad}"


@pytest.mark.parametrize(
    ("bad", "meant"),
    [("escrow.relased", "escrow.released"), ("ESCROW.FUNDED", "escrow.funded"), ("orders.*", "order.*"), ("xyz", None)],
)
def test_the_event_that_was_probably_meant_is_named(bad: str, meant: str | None) -> None:
    problem = filters_problem((bad,))
    assert problem is not None
    assert problem.message == f"unknown event: {bad}{f'; did you mean {meant}?' if meant else ''}"


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
