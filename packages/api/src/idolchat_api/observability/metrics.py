"""Metrics in Prometheus' format. Labels are few and bounded: routes, states, codes; never users, models or texts."""

from __future__ import annotations

from asyncio import all_tasks
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from idolchat_api.observability.instance_metrics import instance_metrics
from idolchat_api.version import VERSION
from idolchat_core.coordination.process import process_address
from idolchat_core.service import Service
from idolchat_core.turns.observers import TurnObserver, TurnReport

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 600)


class Metrics(TurnObserver):
    """Counts requests and turns, and reads the state of the services when it is scraped."""

    def __init__(self, service: Service, *, open_sockets: Callable[[], int], is_stopping: Callable[[], bool]) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "idolchat_http_requests", "Requests by route and status.", ["method", "route", "status"], registry=registry
        )
        self._request_s = Histogram(
            "idolchat_http_request_duration_seconds",
            "How long requests took, streams to their end.",
            ["route"],
            buckets=_SLOW_S,
            registry=registry,
        )
        self._turns = Counter("idolchat_turns", "Turns by how they ended.", ["state"], registry=registry)
        self._failures = Counter(
            "idolchat_turn_failures", "Turns that failed, by error code.", ["code"], registry=registry
        )
        self._turn_s = Histogram(
            "idolchat_turn_duration_seconds", "How long replies took.", buckets=_SLOW_S, registry=registry
        )
        self._first_s = Histogram(
            "idolchat_time_to_first_token_seconds",
            "How long replies took to begin.",
            buckets=_SLOW_S,
            registry=registry,
        )
        self._stored_s = Histogram(
            "idolchat_storage_write_seconds", "How long turns waited for a write.", buckets=_FAST_S, registry=registry
        )
        self._tokens = Counter("idolchat_tokens", "Tokens of replies.", ["direction"], registry=registry)
        self._cost = Counter("idolchat_cost", "What replies cost, in the provider's currency.", registry=registry)
        ProcessCollector(registry=registry)
        registry.register(_State(service, open_sockets, is_stopping))

    def turn_ended(self, report: TurnReport) -> None:
        self._turns.labels(report.state).inc()
        self._turn_s.observe(report.duration_s)
        if report.error_code is not None:
            self._failures.labels(report.error_code).inc()
        if report.first_delta_s is not None:
            self._first_s.observe(report.first_delta_s)
        if report.usage is not None:
            self._tokens.labels("input").inc(report.usage.input_tokens)
            self._tokens.labels("output").inc(report.usage.output_tokens)
            self._cost.inc(max(0.0, report.usage.cost or 0.0))

    def stored(self, seconds: float) -> None:
        self._stored_s.observe(seconds)

    def requested(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request; ``route`` is None for an unknown path."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route or "none", status).inc()
        self._request_s.labels(route or "none").observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})


class _State(Collector):
    """Gauges of the current state."""

    def __init__(self, service: Service, open_sockets: Callable[[], int], is_stopping: Callable[[], bool]) -> None:
        self._service = service
        self._open_sockets = open_sockets
        self._is_stopping = is_stopping

    def collect(self) -> Iterator[Metric]:
        turns = self._service.turns
        budgets = turns.ledger.budgets
        yield _gauge("idolchat_turns_running", "Turns that run or wait.", turns.running)
        yield _gauge("idolchat_turns_waiting", "Turns that wait for another.", turns.waiting)
        yield _gauge("idolchat_turns_unstored", "Turns that are over and not stored yet.", turns.unstored)
        yield _gauge("idolchat_sockets", "Open WebSockets.", self._open_sockets())
        yield _gauge("idolchat_tasks", "Tasks of asyncio that run or wait.", len(all_tasks()))
        yield _gauge("idolchat_stopping", "1 while no new turns are taken.", self._is_stopping())
        yield _gauge("idolchat_spending_stopped", "1 while spending is stopped.", turns.ledger.stop is not None)
        yield CounterMetricFamily(
            "idolchat_turns_taken_over", "Turns that were ended for a process that died.", value=turns.taken_over
        )
        yield from instance_metrics(self._service)
        mirror = self._service.mirror
        yield _gauge("idolchat_mirror_pending", "Copies still to be made.", mirror.pending)
        yield _gauge("idolchat_mirror_lag_seconds", "Age of the oldest change that a mirror lacks.", mirror.lag_s)
        copies = GaugeMetricFamily("idolchat_mirror_copied_here", "1 where this server copies.", labels=["mirror"])
        for one in mirror.mirrors:
            copies.add_metric([one.name], float(one.copied_by in (None, process_address())))
        yield copies
        tokens = GaugeMetricFamily("idolchat_spent_tokens", "Tokens of this day and month (UTC).", labels=["window"])
        cost = GaugeMetricFamily("idolchat_spent_cost", "Cost of this day and month (UTC).", labels=["window"])
        left = GaugeMetricFamily("idolchat_budget_remaining_ratio", "Of each budget for all.", labels=["budget"])
        for quota in budgets.quotas():
            left.add_metric([quota.name], quota.remaining / quota.limit if quota.limit else 0.0)
        for window in (budgets.day, budgets.month):
            tokens.add_metric([window.name], window.overall.tokens)
            cost.add_metric([window.name], window.overall.cost)
        yield from (tokens, cost, left)
        build = GaugeMetricFamily("idolchat_build_info", "What runs.", labels=["version", "storage", "llm"])
        build.add_metric([VERSION, self._service.storage_name, self._service.llm_name], 1)
        yield build


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
