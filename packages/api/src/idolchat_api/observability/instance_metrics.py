"""Metrics of a server among others that serve the same storage: its heartbeat, the bus, readers elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from idolchat_core.service import Service

__all__ = ["instance_metrics"]


def instance_metrics(service: Service) -> Iterator[Metric]:
    """Yield them; where one process serves the storage, there are none."""
    membership, bus, turns = service.coordination.membership, service.coordination.bus.state, service.turns
    if membership is None:
        return
    counts = membership.counts
    beats = CounterMetricFamily("idolchat_heartbeats", "Heartbeats by how they went.", labels=["result"])
    beats.add_metric(["ok"], counts.beats)
    beats.add_metric(["failed"], counts.failed_beats)
    yield beats
    yield CounterMetricFamily(
        "idolchat_expulsions", "Times that others took this server for dead.", value=counts.expulsions
    )
    yield GaugeMetricFamily(
        "idolchat_suspended",
        "1 while no turns are taken for want of a heartbeat.",
        value=membership.problem is not None,
    )
    yield GaugeMetricFamily(
        "idolchat_remote_readers", "Readers at other servers of turns of this one.", value=turns.remote_readers
    )
    yield GaugeMetricFamily(
        "idolchat_remote_turns", "Turns of other servers that are followed here.", value=turns.remote_turns
    )
    yield GaugeMetricFamily("idolchat_bus_up", "1 while the bus carries messages.", value=bus.problem is None)
    if bus.lag_s is not None:
        yield GaugeMetricFamily(
            "idolchat_bus_lag_seconds", "What a message to this server itself took last.", value=bus.lag_s
        )
    messages = CounterMetricFamily("idolchat_bus_messages", "Messages by what became of them.", labels=["result"])
    for result, count in (("sent", bus.sent), ("received", bus.received), ("dropped", bus.dropped)):
        messages.add_metric([result], count)
    yield messages
