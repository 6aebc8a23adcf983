"""What is done to each gateway."""

from dataclasses import dataclass

from benchmarks.load.options import Mode

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """So many clients at once; ``known`` conversations have been begun before it is measured.

    With a ``history`` all turns are in one conversation, which holds so many messages at the start.
    """

    name: str
    mode: Mode
    connections: int
    seconds: float = 3.0
    pause_ms: int = 15
    ramp_s: float = 0.0
    known: bool = False
    history: int = 0

    @property
    def model(self) -> str:
        """The name of the model that answers with 64 deltas at this pace."""
        return f"mock/n64-d{self.pause_ms}" if self.mode != "json" else "mock/j200-d0"

    @property
    def deltas(self) -> int:
        """How many deltas a reply has."""
        return 0 if self.mode == "json" else 64


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="rest-1", mode="json", connections=1, known=True),
        *(Scenario(name=f"rest-1-after-{n}", mode="json", connections=1, history=n) for n in (10, 10_000, 100_000)),
        Scenario(name="rest-64", mode="json", connections=64, known=True),
        Scenario(name="rest-64-new", mode="json", connections=64),
        Scenario(name="sse-1", mode="sse", connections=1),
        Scenario(name="sse-32", mode="sse", connections=32, seconds=4, ramp_s=1),
        Scenario(name="sse-500", mode="sse", connections=500, seconds=4, ramp_s=1),
        Scenario(name="ws-32", mode="ws", connections=32, seconds=4, ramp_s=1),
        Scenario(name="sse-32-at-once", mode="sse", connections=32, pause_ms=0),
        Scenario(name="ws-32-at-once", mode="ws", connections=32, pause_ms=0),
    )
}
