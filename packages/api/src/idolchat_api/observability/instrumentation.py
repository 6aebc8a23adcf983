"""Metrics and traces of requests and turns. What is not configured is not imported."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from pydantic import SecretStr
from starlette.types import Scope

from idolchat_core.errors import ConfigurationError
from idolchat_core.request_context import CALLER
from idolchat_core.service import Service

if TYPE_CHECKING:
    from idolchat_api.observability.metrics import Metrics
    from idolchat_api.observability.metrics_endpoint import MetricsEndpoint
    from idolchat_api.observability.traces import Traces

__all__ = ["METRICS_PATH", "Instrumentation", "instrumented"]

METRICS_PATH = "/metrics"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Instrumentation:
    """Metrics and traces of one server; either may be missing."""

    def __init__(
        self, metrics: Metrics | None, traces: Traces | None, metrics_endpoint: MetricsEndpoint | None
    ) -> None:
        self.metrics = metrics
        self.traces = traces
        self.metrics_endpoint = metrics_endpoint

    def begin(self, scope: Scope) -> None:
        """Start the span of a request, and make it the parent of what the request starts."""
        if self.traces is None:
            return
        from idolchat_api.observability.traces import traceparent_of  # noqa: PLC0415  it is loaded already

        span = self.traces.begin(_method(scope), CALLER.get().traceparent)
        CALLER.set(CALLER.get()._replace(traceparent=traceparent_of(span)))
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
async def instrumented(
    service: Service,
    metrics_token: SecretStr | None,
    *,
    open_sockets: Callable[[], int],
    is_stopping: Callable[[], bool],
) -> AsyncGenerator[Instrumentation | None]:
    """Record metrics if they have a token, and traces if OpenTelemetry's variables ask for them, while the block runs.

    Yields None without either. Raises ``ConfigurationError`` where traces are asked for and OpenTelemetry is not
    installed.
    """
    metrics = endpoint = None
    if metrics_token is not None:  # imported only where they are used
        from idolchat_api.observability.metrics import Metrics  # noqa: PLC0415
        from idolchat_api.observability.metrics_endpoint import MetricsEndpoint  # noqa: PLC0415

        metrics = Metrics(service, open_sockets=open_sockets, is_stopping=is_stopping)
        endpoint = MetricsEndpoint(metrics, metrics_token)
    traces = _traces(service)
    for observer in (metrics, traces):
        if observer is not None:
            service.turns.observe(observer)
    try:
        yield Instrumentation(metrics, traces, endpoint) if metrics is not None or traces is not None else None
    finally:
        if traces is not None:
            await asyncio.to_thread(traces.close)


def _traces(service: Service) -> Traces | None:
    wanted = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if wanted is None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from idolchat_api.observability.traces import Traces  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigurationError(
            f"{wanted} asks for traces, but OpenTelemetry is not installed: pip install 'idolchat-api[otel]'"
        ) from error
    return Traces(provider=service.llm_name)


def _method(scope: Scope) -> str:
    return str(scope.get("method", "WEBSOCKET"))
