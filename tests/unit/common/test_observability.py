"""Logs never tell a secret, and a trace that came with a message goes on with it."""

import json
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.common.observability import tracing
from libs.common.observability.logging import start_logging


@pytest.fixture
def quiet_after() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("quiet_after")
def test_a_log_line_is_json_with_ids_and_masks_what_is_named_like_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(service="ledger", instance="ledger-1")
    structlog.get_logger().info("user.opened", user_id="usr_1", webhook_secret="hush", api_key="ohk_live_x")
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["service"], line["user_id"]) == ("user.opened", "ledger", "usr_1")
    assert (line["webhook_secret"], line["api_key"]) == ("***", "***")
    assert line["timestamp"].endswith("Z")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setitem(tracing._state, "tracer", provider.get_tracer("test"))
    return exporter


def test_a_step_continues_the_trace_its_message_came_with(spans: InMemorySpanExporter) -> None:
    with tracing.span("ask"):
        carried = tracing.current_traceparent()
    with tracing.span("write", traceparent=carried):
        pass
    asked, written = spans.get_finished_spans()
    assert asked.context is not None
    assert written.context is not None
    assert written.context.trace_id == asked.context.trace_id
    assert written.parent is not None
    assert written.parent.span_id == asked.context.span_id


def test_without_a_collector_a_span_is_nothing_and_no_context_travels() -> None:
    with tracing.span("write", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"):
        assert tracing.current_traceparent() == ""
