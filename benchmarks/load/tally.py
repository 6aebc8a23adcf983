"""What the clients have seen."""

from collections import Counter
from typing import Any

__all__ = ["Tally"]


class Tally:
    """Counts replies, and keeps their times in seconds."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.first_deltas: list[float] = []
        self.silences: list[float] = []
        self.errors: Counter[str] = Counter()
        self.deltas = 0

    def reply(self, latency: float, *, first_delta: float | None, silence: float, deltas: int) -> None:
        """Count a reply that has come to its end."""
        self.latencies.append(latency)
        self.deltas += deltas
        if first_delta is not None:
            self.first_deltas.append(first_delta)
            self.silences.append(silence)

    def fail(self, why: str) -> None:
        """Count something that should not be."""
        self.errors[why] += 1

    def summary(self, wall_s: float) -> dict[str, Any]:
        """Give rates a second, and percentiles in milliseconds."""
        replies = len(self.latencies)
        return {
            "replies": replies,
            "errors": dict(self.errors),
            "wall_s": round(wall_s, 3),
            "replies_s": round(replies / wall_s, 1),
            "deltas_s": round(self.deltas / wall_s, 1),
            **_percentiles("first_delta", self.first_deltas),
            **_percentiles("latency", self.latencies),
            **_percentiles("silence", self.silences),
        }


def _percentiles(name: str, times: list[float]) -> dict[str, float | None]:
    ranked = sorted(times)
    return {
        f"{name}_p{percent}_ms": round(ranked[len(ranked) * percent // 100] * 1e3, 3) if ranked else None
        for percent in (50, 99)
    }
