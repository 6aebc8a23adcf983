"""Which messages of a branch can be sent to a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from idolchat_core.prompt.entry import UNFINISHED, Entry

__all__ = ["alternates", "content_parts", "joined_roles", "sendable"]


def sendable(path: Sequence[Entry]) -> list[Entry]:
    """Leave out what would mislead or be refused: turns without a reply, and tool calls without their results.

    A message that was never answered is not sent again with the next one, or the model would answer the old
    question. The newest turn is always kept. A message that was deleted is as if it had never been there: the reply to
    a deleted question stays, and a question whose reply was deleted is one without a reply.
    """
    if alternates(path):
        return list(path)
    kept: list[Entry] = []
    for entry in [entry for entry in path if not entry.is_deleted]:
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


def alternates(path: Sequence[Entry]) -> bool:
    """Whether all of a branch can be sent as it is: the user and the assistant take turns, and each says something."""
    expected = path[0].role if path and path[0].role == "assistant" else "user"
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
    """Return whether the user speaks anew, in another turn than the unanswered messages before."""
    if not kept or (kept[-1].sent["role"] == "assistant" and "tool_calls" not in kept[-1].sent):
        return False
    before = kept[-1]
    return before.turn_id is not None and before.turn_id != entry.turn_id


def _answers_call(kept: Sequence[Entry], entry: Entry) -> bool:
    caller = next((earlier for earlier in reversed(kept) if earlier.sent["role"] != "tool"), None)
    calls = caller.sent.get("tool_calls", ()) if caller else ()
    return any(call.get("id") == entry.sent.get("tool_call_id") for call in calls)


def joined_roles(messages: Iterable[dict[str, Any]], *, joins_replies: bool = True) -> list[dict[str, Any]]:
    """Join texts of one role that follow each other; some providers refuse roles that do not alternate.

    Without ``joins_replies`` those of several characters stay apart.
    """
    apart = ("tool", "system") if joins_replies else ("tool", "system", "assistant")
    joined: list[dict[str, Any]] = []
    for message in messages:
        last = joined[-1] if joined else None
        if (
            last
            and last["role"] == message["role"] not in apart
            and last.keys() == message.keys() == {"role", "content"}
        ):
            joined[-1] = {"role": last["role"], "content": _both(last["content"], message["content"])}
        else:
            joined.append(message)
    return joined


def _both(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*content_parts(first), *content_parts(second)]


def content_parts(content: Any) -> list[dict[str, Any]]:
    """Return a message's content as OpenAI content parts."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
