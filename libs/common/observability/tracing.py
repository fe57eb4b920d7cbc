"""OpenTelemetry as an option: without `OTEL_EXPORTER_OTLP_ENDPOINT` none of it is loaded and a trace costs nothing."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_state: dict[str, "Tracer"] = {}


def start_tracing(*, service: str, endpoint: str) -> None:
    """Send spans of this process to an OTLP collector over HTTP."""
    from opentelemetry import trace  # noqa: PLC0415 - loaded only by those who ask for it
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"offerhub-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    _state["tracer"] = provider.get_tracer("offerhub")


def current_traceparent() -> str:
    """Return the W3C trace context of the running span, or nothing when there is none."""
    if not _state:
        return ""
    from opentelemetry.propagate import inject  # noqa: PLC0415

    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent", "")


@contextlib.contextmanager
def span(name: str, *, traceparent: str = "") -> Iterator[None]:
    """Run a step inside a span that continues the trace it came with."""
    tracer = _state.get("tracer")
    if tracer is None:
        yield
        return
    from opentelemetry.propagate import extract  # noqa: PLC0415

    context = extract({"traceparent": traceparent}) if traceparent else None
    with tracer.start_as_current_span(name, context=context):
        yield
