"""OpenTelemetry traces: a span for each request and for each provider call, without message text.

Names are those of the GenAI semantic conventions (open-telemetry/semantic-conventions-genai, read 2026-08-22, status
Development). OpenTelemetry's own variables configure it: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and so on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from idolchat_api.version import VERSION
from idolchat_core.turns.observers import TurnObserver, TurnReport

__all__ = ["Traces", "traceparent_of"]

SOCKET = "/ws/chat"
_NS = 1_000_000_000
_SERVER_ERROR = 500


class Traces(TurnObserver):
    """Records spans and exports them in the background. ``provider`` is the name of the LLM provider."""

    def __init__(self, *, provider: str) -> None:
        about = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "idolchat"), SERVICE_VERSION: VERSION}
        self._spans = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        self._spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._spans.get_tracer("idolchat", VERSION)
        self._provider = provider
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Export the remaining spans; blocks on the network."""
        self._spans.shutdown()

    def begin(self, method: str, traceparent: str | None) -> Span:
        """Start the span of a request."""
        attributes = {"http.request.method": method}
        return self._tracer.start_span(method, self._parent(traceparent), kind=SpanKind.SERVER, attributes=attributes)

    def end(self, span: Span, *, method: str, route: str | None, status: int) -> None:
        """End the span of a request."""
        if route is not None:
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= _SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end()

    def begin_frame(self, kind: str, traceparent: str | None) -> tuple[Span, str]:
        """Start the span of a WebSocket frame, and return it with its ``traceparent``.

        There are no conventions for this: it is a server's span with the route of the socket, and no HTTP method.
        """
        attributes = {"http.route": SOCKET, "network.protocol.name": "websocket", "idolchat.frame.type": kind}
        span = self._tracer.start_span(
            f"{SOCKET} {kind}", self._parent(traceparent), kind=SpanKind.SERVER, attributes=attributes
        )
        return span, traceparent_of(span)

    def end_frame(self, span: Span, error_code: str | None) -> None:
        """End the span of a frame, with the code of the error it got, if any."""
        if error_code is not None:
            span.set_attribute("error.type", error_code)
            span.set_status(StatusCode.ERROR)
        span.end()

    def turn_ended(self, report: TurnReport) -> None:
        """Record the span of a provider call."""
        end_ns = int(report.ended_at * _NS)
        span = self._tracer.start_span(
            f"chat {report.asked_model}" if report.asked_model else "chat",
            self._parent(report.traceparent),
            kind=SpanKind.CLIENT,
            start_time=end_ns - int(report.duration_s * _NS),
            attributes=_known(self._facts(report)),
        )
        if report.error_code is not None:
            span.set_attribute("error.type", report.error_code)
            span.set_status(StatusCode.ERROR)
        span.end(end_ns)

    def _facts(self, report: TurnReport) -> Mapping[str, object]:
        usage = report.usage
        return {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self._provider,
            "gen_ai.request.model": report.asked_model,
            "gen_ai.response.model": report.model,
            "gen_ai.response.id": report.completion_id,
            "gen_ai.conversation.id": str(report.conversation_id),
            "gen_ai.response.finish_reasons": (report.finish_reason,) if report.finish_reason else None,
            "gen_ai.response.time_to_first_chunk": report.first_delta_s,
            "gen_ai.usage.input_tokens": usage.input_tokens if usage else None,
            "gen_ai.usage.output_tokens": usage.output_tokens if usage else None,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens if usage else None,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens if usage else None,
            "idolchat.turn.id": str(report.turn_id),
            "idolchat.turn.state": str(report.state),
        }

    def _parent(self, traceparent: str | None) -> Context | None:
        return self._propagator.extract({"traceparent": traceparent}) if traceparent else None


def traceparent_of(span: Span) -> str:
    """Return the ``traceparent`` header that names a span as the parent."""
    context = span.get_span_context()
    return f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-{context.trace_flags:02x}"


def _known(facts: Mapping[str, object]) -> dict[str, str | int | float | tuple[str, ...]]:
    return {name: value for name, value in facts.items() if isinstance(value, str | int | float | tuple)}
