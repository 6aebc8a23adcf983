"""The rows as Markdown: medians of the rounds, and ratios with nginx as 1, taken round by round."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

__all__ = ["tables"]

BASE = "nginx"
type Row = Mapping[str, Any]


def tables(rows: Sequence[Row]) -> str:
    """Write one table a scenario."""
    scenarios = dict.fromkeys(row["scenario"] for row in rows)
    return "\n".join(_table(name, rows) for name in scenarios)


def _table(scenario: str, all_rows: Sequence[Row]) -> str:
    rows = [row for row in all_rows if row["scenario"] == scenario]
    # A WebSocket is compared with a stream that nginx passes on.
    likened = scenario.replace("ws-", "sse-")
    base = {row["round"]: row for row in all_rows if row["gateway"] == BASE and row["scenario"] == likened}
    direct = {row["round"]: row for row in rows if row["gateway"] == "direct"}
    lines = [
        f"\n### {scenario}\n",
        f"| gateway | CPU us a request | a delta | x {BASE} | replies/s | deltas/s | first delta added, p50 / p99 ms"
        " | latency p50 / p99 ms | KB a connection | errors | others |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for gateway in dict.fromkeys(row["gateway"] for row in rows):
        of = [row for row in rows if row["gateway"] == gateway]
        cells = [
            gateway,
            _number(_median(of, "cpu_us_request"), 0),
            _number(_median(of, "cpu_us_delta"), 1),
            _number(_ratio(of, base), 1),
            _number(_median(of, "replies_s"), 0),
            _number(_median(of, "deltas_s"), 0),
            f"{_number(_added(of, direct, 'p50'), 1)} / {_number(_added(of, direct, 'p99'), 1)}",
            f"{_number(_median(of, 'latency_p50_ms'), 1)} / {_number(_median(of, 'latency_p99_ms'), 1)}",
            _number(_median(of, "kb_connection"), 0),
            str(sum(sum(row["errors"].values()) for row in of)),
            _number(_median(of, "others"), 2),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(rows: Iterable[Row], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return median(values) if values else None


def _ratio(rows: Iterable[Row], base: Mapping[int, Row]) -> float | None:
    ratios = [
        row["cpu_us_request"] / base[row["round"]]["cpu_us_request"]
        for row in rows
        if row["round"] in base and base[row["round"]]["cpu_us_request"]
    ]
    return median(ratios) if ratios else None


def _added(rows: Iterable[Row], direct: Mapping[int, Row], percentile: str) -> float | None:
    name = f"first_delta_{percentile}_ms"
    added = [
        row[name] - direct[row["round"]][name]
        for row in rows
        if row["round"] in direct and row[name] is not None and direct[row["round"]][name] is not None
    ]
    return median(added) if added else None


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
