"""Times a scan of 1,500 keys over 8 KB of text: python packages/characters/benchmarks/lore.py

What it prints, for keys of several kinds: milliseconds to compile the book, and to scan.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import math
import random
import string
import sys
import time
from collections.abc import Callable

from idolchat_characters.lore import (
    BranchState,
    ChatLine,
    LoreBooks,
    LoreSettings,
    ScanInput,
    SeededRolls,
    compile_lore,
    read_book,
    scan,
)

ENTRIES = 500
KEYS_EACH = 3
TEXT_CHARS = 8 * 1024
RUNS = 30


def main() -> None:
    """Print the figures, for keys of several kinds."""
    kinds: dict[str, Callable[[random.Random], str]] = {
        "words": _word,
        "phrases": lambda rng: f"the {_word(rng)} {_word(rng)}",
        "japanese": lambda rng: "".join(rng.choice("星空城騎士竜魔法森川月雪火") for _ in range(3)),
        "patterns": lambda rng: f"/{_word(rng)}(s|ed)?/i",
    }
    for name, key in kinds.items():
        _measure(name, key)


def _measure(name: str, key: Callable[[random.Random], str]) -> None:
    rng = random.Random(7)
    keys = [[key(rng) for _ in range(KEYS_EACH)] for _ in range(ENTRIES)]
    entries = {str(uid): {"uid": uid, "key": keys[uid], "content": f"Lore {uid}."} for uid in range(ENTRIES)}
    book = read_book({"entries": entries}, book_id="book")
    started = time.perf_counter()
    lore = compile_lore(LoreBooks(character=[book]), LoreSettings())
    compiled_ms = (time.perf_counter() - started) * 1000
    texts = [" ".join([_word(rng) for _ in range(TEXT_CHARS // 14)] + keys[half][:1]) for half in (3, 4)]
    turn = ScanInput(
        messages=[ChatLine("", text) for text in texts],
        state=BranchState(messages=2),
        context_window=32_000,
        roll=SeededRolls(conversation_id="c", turn_id="t"),
        count_tokens=lambda text: math.ceil(len(text) / 4),
    )
    times = sorted(_timed(lambda: scan(lore, turn)) for _ in range(RUNS))
    activated = len(scan(lore, turn).activations)
    size = sum(map(len, texts))
    sys.stdout.write(
        f"{name}: {ENTRIES * KEYS_EACH} keys over {size} characters: compile {compiled_ms:.1f} ms, "
        f"scan median {times[RUNS // 2]:.2f} ms, worst {times[-1]:.2f} ms, {activated} activated\n"
    )


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(4, 8)))


if __name__ == "__main__":
    main()
