"""Metrics and traces of requests and turns. What is not configured is not imported."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.types import Scope

from idolchat_api.app_state import AppState
from idolchat_core.errors import ConfigurationError
from idolchat_core.request_context import CALLER

if TYPE_CHECKING:
    from idolchat_api.observability.metrics import Metrics
    from idolchat_api.observability.traces import Traces

__all__ = ["Instrumentation", "instrumented"]

METRICS_PATH = "/metrics"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Instrumentation:
    """Metrics and traces of one server; either may be missing."""

    def __init__(self, metrics: Metrics | None, traces: Traces | None) -> None:
        self.metrics = metrics
        self.traces = traces

    def serves_metrics(self, scope: Scope) -> bool:
        """Return whether a request is for the metrics, and they are enabled."""
        return self.metrics is not None and scope["path"] == METRICS_PATH

    def begin(self, scope: Scope) -> None:
        """Start the span of a request, and make it the parent of what the request starts."""
        if self.traces is None:
            return
        from idolchat_api.observability.traces import traceparent_of  # noqa: PLC0415  it is loaded already

        span = self.traces.begin(_method(scope), CALLER.get().traceparent)
        CALLER.set(replace(CALLER.get(), traceparent=traceparent_of(span)))
        scope["state"]["span"] = span

    def end(self, scope: Scope, *, status: int, started_at: float) -> None:
        """Record how a request ended."""
        method, route = _method(scope), getattr(scope.get("route"), "path", None)
        if self.metrics is not None:
            self.metrics.requested(method, route, status, perf_counter() - started_at)
        span = scope["state"].get("span")
        if span is not None and self.traces is not None:
            self.traces.end(span, method=method, route=route, status=status)


@asynccontextmanager
async def instrumented(app: AppState) -> AsyncGenerator[None]:
    """Instrumentation an application, as its settings and OpenTelemetry's variables want it.

    Raises ``ConfigurationError`` where traces are wanted and OpenTelemetry is not installed.
    """
    metrics, traces = _metrics(app), _traces(app)
    for observer in (metrics, traces):
        if observer is not None:
            app.service.turns.observe(observer)
    if metrics is not None or traces is not None:
        app.instrumentation = Instrumentation(metrics, traces)
    try:
        yield
    finally:
        if traces is not None:
            await asyncio.to_thread(traces.close)


def _metrics(app: AppState) -> Metrics | None:
    if app.settings.metrics_token is None:
        return None
    from idolchat_api.observability.metrics import Metrics  # noqa: PLC0415  no cost where there are none

    return Metrics(app)


def _traces(app: AppState) -> Traces | None:
    wanted = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if wanted is None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from idolchat_api.observability.traces import Traces  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigurationError(
            f"{wanted} asks for traces, but OpenTelemetry is not installed: pip install 'idolchat-api[otel]'"
        ) from error
    return Traces(provider=app.service.llm_name)


def _method(scope: Scope) -> str:
    return str(scope.get("method", "WEBSOCKET"))
