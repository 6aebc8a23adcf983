"""What a model name asks for."""

import re
from dataclasses import dataclass
from functools import lru_cache

FLAGS = frozenset({"echo", "count", "uni", "bytes", "tools", "reason", "bill"})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A parsed model name; times in seconds."""

    model: str
    known: bool
    deltas: int
    words: int
    delay_s: float
    wait_s: float
    stall_s: float
    holds_after: int | None
    failures: int
    context_length: int | None
    retry_after: str | None
    flood_bytes: int
    fault: str | None
    flags: frozenset[str]

    @property
    def reads_prompt(self) -> bool:
        """Whether the answer depends on what was asked."""
        return bool(self.context_length or self.flags & {"echo", "count", "bill"})


@lru_cache(4096)
def behaviour(model: str) -> Behaviour:
    words = model.rsplit("/", maxsplit=1)[-1].split("-")
    numbers = {word[0]: int(word[1:]) for word in words if re.fullmatch(r"[ndjwskcrmh]\d+", word)}
    named = [word[1:] for word in words if re.fullmatch(r"x\w+", word)]
    return Behaviour(
        model=model,
        known=model.startswith("mock/"),
        deltas=numbers.get("n", 64),
        words=numbers.get("j", 200),
        delay_s=numbers.get("d", 0) / 1e3,
        wait_s=numbers.get("w", 0) / 1e3,
        stall_s=numbers.get("s", 5),
        holds_after=numbers.get("h"),
        failures=numbers.get("k", 1 << 60),
        context_length=numbers.get("c"),
        retry_after=str(numbers["r"]) if "r" in numbers else None,
        flood_bytes=numbers.get("m", 100) * 1_000_000,
        fault=next(iter(named), None),
        flags=FLAGS.intersection(words),
    )
