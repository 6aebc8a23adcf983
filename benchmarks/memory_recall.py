"""How much of the evidence of questions about old conversations is recalled, on data in the format of LoCoMo.

    python benchmarks/memory_recall.py --data FILE [--semantic] [--json]

FILE is a JSON list of conversations as in locomo10.json (https://github.com/snap-research/locomo; its licence allows
no commercial use, so it is not part of this project). recall@k is the mean over questions of the share of a question's
evidence that is among the first k messages; categories 1 to 4 count (1 multi-hop, 2 temporal, 3 open-domain,
4 single-hop), and the adversarial category 5 is reported apart. Each conversation is the scope of a user, its first
speaker, with a character, its second. Captions of images are part of the text.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from idolchat_core import MemoryIndex, MemoryMessage, MemoryScope, Speaker
from idolchat_memory.prompt.source import LIMIT
from idolchat_memory.recall import Recall, RecallQuery
from idolchat_memory.recall.recall import DEFAULT_FLOOR
from idolchat_memory.sqlite import open_sqlite_index

KS = (5, 10, 25, 50)
ADVERSARIAL = 5
BUDGET_TOKENS = 1000
_EVIDENCE = re.compile(r"D:?(\d+):0*(\d+)")
_TIME = "%I:%M %p on %d %B, %Y"


class Question(NamedTuple):
    """A question, its category, and the ids of the messages that answer it."""

    text: str
    category: int
    evidence: frozenset[str]


class Talk(NamedTuple):
    """One conversation of the data."""

    name: str
    speakers: tuple[str, str]
    messages: Sequence[MemoryMessage]
    questions: Sequence[Question]


def load(path: Path) -> Iterator[Talk]:
    """Read conversations in LoCoMo's format."""
    for sample in json.loads(path.read_text(encoding="utf-8")):
        talk = sample["conversation"]
        messages = list(_messages(talk))
        known = {message.message_id for message in messages}
        questions = [
            Question(str(one["question"]), int(one["category"]), evidence)
            for one in sample["qa"]
            if (evidence := _evidence(one) & known)
        ]
        yield Talk(sample["sample_id"], (talk["speaker_a"], talk["speaker_b"]), messages, questions)


def _messages(talk: dict[str, Any]) -> Iterator[MemoryMessage]:
    position = 0
    for number in sorted(int(found[1]) for key in talk if (found := re.fullmatch(r"session_(\d+)", key))):
        said_at = datetime.strptime(talk[f"session_{number}_date_time"].upper(), _TIME).replace(tzinfo=UTC)
        for turn in talk[f"session_{number}"]:
            caption = turn.get("blip_caption")
            text = f"{turn['text']} [{caption}]" if caption else turn["text"]
            role: Speaker = "user" if turn["speaker"] == talk["speaker_a"] else "assistant"
            yield MemoryMessage(turn["dia_id"], position, role, turn["speaker"], said_at, text)
            position += 1


def _evidence(question: dict[str, Any]) -> frozenset[str]:
    found = _EVIDENCE.findall(" ".join(question.get("evidence") or []))
    return frozenset(f"D{int(session)}:{int(turn)}" for session, turn in found)


class Tally:
    """Sums up recall by category."""

    def __init__(self) -> None:
        self._sums: defaultdict[int, dict[int, float]] = defaultdict(lambda: dict.fromkeys(KS, 0.0))
        self._counts: defaultdict[int, int] = defaultdict(int)

    def add(self, question: Question, found: Sequence[str]) -> None:
        """Record what was found for a question."""
        self._counts[question.category] += 1
        for k in KS:
            share = len(question.evidence & set(found[:k])) / len(question.evidence)
            self._sums[question.category][k] += share

    def recall(self, *categories: int) -> dict[str, float]:
        """Return the recall of some categories together, in percent, by k."""
        count = sum(self._counts[category] for category in categories)
        return {
            str(k): round(100 * sum(self._sums[category][k] for category in categories) / max(count, 1), 2) for k in KS
        }


async def measure(talks: Sequence[Talk], folder: Path, *, semantic: bool) -> dict[str, Any]:
    """Index conversations and ask their questions."""
    ranked, as_a_turn, latencies, tokens, items = Tally(), Tally(), [], [], []
    async with open_sqlite_index(folder / "memory.sqlite") as index:
        recall = await _recall(index, talks, semantic=semantic)
        for talk in talks:
            query = RecallQuery("", now=talk.messages[-1].said_at, names=talk.speakers, limit=50, floor=None)
            for question in talk.questions:
                start = time.perf_counter()
                found = await recall.search([_scope(talk)], query._replace(text=question.text))
                latencies.append(1000 * (time.perf_counter() - start))
                ranked.add(question, [item.row.message.message_id for item in found.items])
                turn = query._replace(text=question.text, floor=DEFAULT_FLOOR, budget_tokens=BUDGET_TOKENS, limit=LIMIT)
                found = await recall.search([_scope(talk)], turn)
                as_a_turn.add(question, [item.row.message.message_id for item in found.items])
                tokens.append(found.tokens)
                items.append(len(found.items))
    return {
        "recall": ranked.recall(1, 2, 3, 4),
        "by_category": {str(category): ranked.recall(category) for category in (1, 2, 3, 4, ADVERSARIAL)},
        "as_a_turn": {
            "recall": as_a_turn.recall(1, 2, 3, 4)["50"],
            "by_category": {str(category): as_a_turn.recall(category)["50"] for category in (1, 2, 3, 4, ADVERSARIAL)},
            "mean_tokens": round(statistics.mean(tokens)),
            "mean_items": round(statistics.mean(items), 1),
        },
        "query_ms": {"p50": _percentile(latencies, 50), "p99": _percentile(latencies, 99)},
    }


async def _recall(index: MemoryIndex, talks: Sequence[Talk], *, semantic: bool) -> Recall:
    for talk in talks:
        await index.replace(_scope(talk), uuid5(NAMESPACE_URL, talk.name), talk.messages, revision="1")
    if not semantic:
        return Recall(index)
    from idolchat_memory.semantic import LateInteraction, encode_waiting  # noqa: PLC0415 - needs the extra

    late_interaction = LateInteraction.load()
    await encode_waiting(index, late_interaction)
    return Recall(index, reranker=late_interaction)


def _scope(talk: Talk) -> MemoryScope:
    return MemoryScope(user_id=talk.name, character_id=talk.speakers[1])


def _percentile(values: list[float], percent: int) -> float:
    return round(sorted(values)[min(len(values) - 1, len(values) * percent // 100)], 2)


def _table(result: dict[str, Any]) -> Iterator[str]:
    names = {"1": "multi-hop", "2": "temporal", "3": "open-domain", "4": "single-hop", "5": "adversarial"}
    yield "| questions | " + " | ".join(f"R@{k}" for k in KS) + f" | within {BUDGET_TOKENS:,} tokens |"
    yield "|---|" + "---:|" * (len(KS) + 1)
    turn = result["as_a_turn"]
    rows = [("all but adversarial", result["recall"], turn["recall"])]
    rows += [(names[key], row, turn["by_category"][key]) for key, row in result["by_category"].items()]
    for name, row, within in rows:
        yield f"| {name} | " + " | ".join(f"{row[str(k)]:.1f}" for k in KS) + f" | {within:.1f} |"
    yield f"\nAs a turn: {turn['mean_items']} messages, {turn['mean_tokens']} tokens on average. "
    yield f"A query: p50 {result['query_ms']['p50']} ms, p99 {result['query_ms']['p99']} ms."


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="conversations and questions")
    parser.add_argument("--semantic", action="store_true", help="with late interaction (the extra `semantic`)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(list(load(asked.data)), Path(folder), semantic=asked.semantic))
    print(json.dumps(result) if asked.json else "\n".join(_table(result)))


if __name__ == "__main__":
    main()
