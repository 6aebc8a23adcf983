"""What is sent to the model: instructions, then as much of the history as fits its context window.

What no longer fits is left out in blocks, a large part of the window at a time, and stays out, so that one
prompt begins with nearly all of the one before and the provider's prompt cache keeps hitting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from idolchat_core.errors import ContextTooLong
from idolchat_core.llm.token_estimator import message_size
from idolchat_core.models import StoredId
from idolchat_core.prompt.history import UNFINISHED, Entry

__all__ = ["Prompt", "PromptBlock", "build_prompt", "choose_start", "sendable"]

MOST_KEPT, LEAST_KEPT = 0.6, 0.25
TURNS_BETWEEN_CUTS = 30
"""As estimated from the last turns; longer ones to come make it fewer, some 20 where lengths vary widely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptBlock:
    """A part of the prompt that stands before the history, in the order given: instructions, character, memories."""

    content: str | list[dict[str, Any]]
    role: str = "system"

    @property
    def sent(self) -> dict[str, Any]:
        """Give it in OpenAI form."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Messages in OpenAI form, their estimated ``size``, and the id of the history's first message among them."""

    messages: list[Mapping[str, Any]]
    size: float
    cut: StoredId | None


def build_prompt(
    blocks: Sequence[PromptBlock],
    path: Sequence[Entry],
    *,
    budget_tokens: float,
    tokens_per_size: float,
    cut: StoredId | None = None,
    is_complete: bool = True,
    extra_size: float = 0.0,
) -> Prompt:
    """Build a prompt of at most ``budget_tokens`` that ends with the last message of ``path``.

    ``tokens_per_size`` is what a size of 1 is estimated at (see ``tokens``). ``cut`` is the first history message of
    the prompt before this one; without it, and with ``is_complete`` false, the history has been cut already, nobody
    knows where. ``extra_size`` is taken by what travels beside the messages, such as tool definitions. Raises
    ``ContextTooLong`` when the newest turn alone does not fit.
    """
    instructions = [block.sent for block in blocks]
    fixed = extra_size + sum(map(message_size, instructions))
    said = sendable(path)
    available = budget_tokens - tokens_per_size * fixed
    start = choose_start(
        [tokens_per_size * entry.size for entry in said],
        [i for i, entry in enumerate(said) if entry.sent["role"] == "user" or (i == 0 and is_complete)],
        available=available,
        current=_position_after(said, path, cut) if cut is not None else (0 if is_complete else None),
    )
    if start is None:
        wanted = round(tokens_per_size * (fixed + sum(entry.size for entry in said[_last_turn(said) :])))
        raise ContextTooLong(
            f"the newest message and the instructions take about {wanted} tokens, and the model has room for"
            f" {max(round(budget_tokens), 0)} beside its reply: shorten them, or lower max_tokens"
        )
    size = fixed + sum([entry.size for entry in said[start:]])
    first = said[start].id if start < len(said) else None
    return Prompt(messages=[*instructions, *_merged(said[start:])], size=size, cut=first)


def choose_start(sizes: Sequence[float], starts: Sequence[int], *, available: float, current: int | None) -> int | None:
    """Choose which message the history begins with in a prompt.

    ``sizes`` are tokens per message, ``starts`` the ascending positions where a prompt may begin, ``current`` where the
    last prompt began, None if not known. It stays there as long as that fits; then it moves on so far that some
    turns can follow before it must move again. None when not even the last start fits.
    """
    if not sizes:
        return 0 if available >= 0 else None
    after = list(accumulate(reversed(sizes), initial=0.0))[::-1]
    if current is not None and after[current] <= available:
        return current
    later = [start for start in starts if after[start] <= available and start >= (current or 0)]
    if not later:
        return None
    recent = starts[-20:]
    turn = after[recent[0]] / len(recent)
    keep = min(max(available - TURNS_BETWEEN_CUTS * turn, LEAST_KEPT * available), MOST_KEPT * available)
    return next((start for start in later if after[start] <= keep), later[-1])


def sendable(path: Sequence[Entry]) -> list[Entry]:
    """Leave out what would mislead or be refused: turns without a reply, and tool calls without their results.

    A message that was never answered is not sent again with the next one, or the model would answer the old
    question. The newest turn is always kept.
    """
    if _is_plain(path):
        return list(path)
    kept: list[Entry] = []
    for entry in path:
        role = entry.sent["role"]
        if role == "tool":
            if _answers_call(kept, entry):
                kept.append(entry)
        elif role == "assistant" and _is_dead(entry):
            _drop_unanswered(kept)
        elif role in ("user", "assistant"):
            if _has_open_calls(kept) or (role == "user" and _other_turn(kept, entry)):
                _drop_unanswered(kept)
            kept.append(entry)
    return kept


def _is_plain(path: Sequence[Entry]) -> bool:
    expected = "user"
    for entry in path:
        if entry.sent["role"] != expected or entry.finish_reason in UNFINISHED or "tool_calls" in entry.sent:
            return False
        if not entry.sent["content"]:
            return False
        expected = "assistant" if expected == "user" else "user"
    return True


def _is_dead(entry: Entry) -> bool:
    """Whether a reply says and calls nothing: it failed, was refused or filtered, or only reasoned."""
    return not entry.sent["content"] and "tool_calls" not in entry.sent


def _drop_unanswered(kept: list[Entry]) -> None:
    while kept and (kept[-1].sent["role"] != "assistant" or "tool_calls" in kept[-1].sent):
        kept.pop()


def _has_open_calls(kept: Sequence[Entry]) -> bool:
    answered = set()
    for earlier in reversed(kept):
        if earlier.sent["role"] == "tool":
            answered.add(earlier.sent.get("tool_call_id"))
        else:
            return any(call.get("id") not in answered for call in earlier.sent.get("tool_calls", ()))
    return False


def _other_turn(kept: Sequence[Entry], entry: Entry) -> bool:
    """Tell whether the user speaks anew, in another turn than the unanswered messages before."""
    if not kept or (kept[-1].sent["role"] == "assistant" and "tool_calls" not in kept[-1].sent):
        return False
    before = kept[-1]
    return before.turn_id is not None and before.turn_id != entry.turn_id


def _answers_call(kept: Sequence[Entry], entry: Entry) -> bool:
    caller = next((earlier for earlier in reversed(kept) if earlier.sent["role"] != "tool"), None)
    calls = caller.sent.get("tool_calls", ()) if caller else ()
    return any(call.get("id") == entry.sent.get("tool_call_id") for call in calls)


def _position_after(said: Sequence[Entry], path: Sequence[Entry], cut: StoredId) -> int | None:
    """Find where a cut stands among what is sent now: at that message, or at the next one that is sent."""
    position = next((entry.position for entry in path if entry.id == cut), None)
    if position is None:
        return None
    return next((i for i, entry in enumerate(said) if entry.position >= position), None)


def _last_turn(said: Sequence[Entry]) -> int:
    return max((i for i, entry in enumerate(said) if entry.sent["role"] == "user"), default=0)


def _merged(said: Sequence[Entry]) -> list[dict[str, Any]]:
    """Join texts of one role that follow each other; some providers refuse roles that do not alternate."""
    messages: list[dict[str, Any]] = []
    for entry in said:
        last = messages[-1] if messages else None
        if (
            last
            and last["role"] == entry.sent["role"] != "tool"
            and last.keys() == entry.sent.keys() == {"role", "content"}
        ):
            messages[-1] = {"role": last["role"], "content": _joined(last["content"], entry.sent["content"])}
        else:
            messages.append(entry.sent)
    return messages


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
