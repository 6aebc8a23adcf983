"""Builds what is sent to the model: the parts that sources give, and as much of the history as fits.

What no longer fits is left out in blocks, a large part of the window at a time, and stays out, so that one prompt
begins with nearly all of the one before and the provider's prompt cache keeps hitting. What varies stands at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from idolchat_core.errors import ContextTooLong
from idolchat_core.llm.token_estimator import message_size
from idolchat_core.models import StoredId
from idolchat_core.prompt.budget import Selection
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.outline import Outline, outline_of
from idolchat_core.prompt.parts import MeasuredPart, Slot
from idolchat_core.prompt.sendable import alternates, content_parts, joined_roles, sendable
from idolchat_core.prompt.thinking import without_thinking
from idolchat_core.prompt.window import choose_start, predict_start

__all__ = ["Prompt", "build_prompt"]

_TOLD = "You began this conversation by saying:"
_NOTHING = Outline()
_SYSTEM = frozenset({"system"})
_CONTEXT_TAG = re.compile(r"<(/?)(?=context\b)", re.IGNORECASE)


class Prompt(NamedTuple):
    """Messages in OpenAI form, their estimated ``size``, and the id of the history's first message among them.

    ``is_cut`` says that something before it did not fit; messages that are never sent may stand there, too.
    ``stable_until`` are positions of messages up to which the next prompt is likely to be the same. ``next_cut`` is the
    message that the history is likely to begin with after the next cut, where that is near and was asked for;
    ``history_size`` is that of the history in it, and ``free_tokens`` is what that can grow by.
    """

    messages: Sequence[Mapping[str, Any]]
    size: float
    cut: StoredId | None
    is_cut: bool = False
    stable_until: tuple[int, ...] = ()
    outline: Outline = _NOTHING
    history_size: float = 0.0
    free_tokens: float = 0.0
    next_cut: StoredId | None = None


def build_prompt(
    selection: Selection,
    path: Sequence[Entry],
    *,
    budget_tokens: float,
    tokens_per_size: float,
    reserved_tokens: float = 0.0,
    cut: StoredId | None = None,
    is_complete: bool = True,
    extra_size: float = 0.0,
    late_system: bool = True,
    assistant_first: bool = True,
    joins_replies: bool = True,
    begun: str = "",
    keeps_thinking: bool = False,
    summaries: Sequence[MeasuredPart] = (),
    predicts: bool = False,
) -> Prompt:
    """Build a prompt of at most ``budget_tokens`` that ends with the last message of ``path``.

    A reply that has ``begun`` with a text, and is to be continued, stands after all else.

    ``tokens_per_size`` is what a size of 1 is estimated at (see ``token_estimator``). ``reserved_tokens`` are kept for
    parts that vary, whether they need them or not, unless the newest turn alone would not fit then.
    ``cut`` is the first history message of the prompt before this one;
    without it, and with ``is_complete`` false, the history has been cut already, nobody knows where. ``extra_size`` is
    taken by what travels beside the messages, such as tool definitions. ``late_system`` says that the model takes
    system messages after the first of the user; for others, what would be one stands in ``<context>`` before the
    user's newest words. Where the history may not begin with a reply (``assistant_first`` is false), a system message
    tells the greeting. Examples are left out before any of the history is. ``keeps_thinking`` leaves thoughts in the
    text of replies (see ``without_thinking``). Of the ``summaries``, parts that stand for messages, the one goes in
    that reaches up to the history's beginning, or next to it. ``predicts`` asks for ``next_cut``. Raises
    ``ContextTooLong`` when the newest turn alone does not fit.
    """
    spoken = path if keeps_thinking else without_thinking(path)
    is_plain = alternates(spoken)
    said = list(spoken) if is_plain else sendable(spoken)
    beginning = [{"role": "assistant", "content": begun}] if begun else []
    extra_size += sum([message_size(message) for message in beginning])
    room = _Room(budget_tokens, tokens_per_size, reserved_tokens, extra_size)
    has_been_cut = cut is not None or not is_complete
    starts = [i for i, entry in enumerate(said) if entry.sent["role"] == "user" or (i == 0 and is_complete)]
    current = _position_after(said, path, cut) if cut is not None else (0 if is_complete else None)
    sizes = [tokens_per_size * entry.size for entry in said]
    ends = [(_start_after(said, path, starts, part), part) for part in summaries]
    wished = frozenset([start for start, _ in ends if start < len(said)])
    if current is None and wished:  # it began there before it was forgotten
        current = min(wished)
    choose = partial(choose_start, sizes, starts, current=current, wished=wished)
    start = None if has_been_cut else choose(available=room.left(selection))
    if start != 0 and selection.of(Slot.EXAMPLES):
        selection.leave_out(Slot.EXAMPLES, reason="examples make room for the history")
        is_near = predict_start(sizes, starts, available=room.left(selection), current=0) is not None
        if not has_been_cut and is_near:  # their room lasts for few turns: the cache is missed once, not twice
            choose = partial(choose_start, sizes, starts, current=None, wished=wished)
    if start != 0:
        start = choose(available=room.left(selection))
    if start is None and reserved_tokens:  # what is kept free keeps no turn from being answered
        room = _Room(budget_tokens, tokens_per_size, 0.0, extra_size)
        start = choose(available=room.left(selection))
    if start is None:
        raise _too_long(said, room, selection)
    first = said[start].id if start < len(said) else None
    available = room.left(selection)
    history_tokens = sum(sizes[start:])
    _put_summary(selection, ends, room, start=start, history_tokens=history_tokens)
    messages, stable_until = _arranged(
        selection,
        said[start:],
        late_system=late_system,
        assistant_first=assistant_first,
        joins_replies=joins_replies,
        is_plain=is_plain,
    )
    if beginning:
        messages = [*messages[:-1], *joined_roles([*messages[-1:], *beginning])]
    history_size = sum([entry.size for entry in said[start:]])
    outline = _outline(selection, said[start:], history_size)
    size = extra_size + selection.fixed_size + selection.varying_size + history_size
    following = predict_start(sizes, starts, available=available, current=start) if predicts else None
    return Prompt(
        messages=messages,
        size=size,
        cut=first,
        is_cut=first is not None and (start > 0 or not is_complete),
        stable_until=stable_until,
        outline=outline,
        history_size=history_size,
        free_tokens=available - history_tokens,
        next_cut=said[following].id if following is not None else None,
    )


def _start_after(said: Sequence[Entry], path: Sequence[Entry], starts: Sequence[int], summary: MeasuredPart) -> int:
    """Find where a prompt may begin after what a summary stands for, which may be older than all that is loaded."""
    last = next((entry.position for entry in path if entry.id == summary.part.stands_for), -1)
    return next((start for start in starts if said[start].position > last), len(said))


def _put_summary(
    selection: Selection,
    ends: Sequence[tuple[int, MeasuredPart]],
    room: _Room,
    *,
    start: int,
    history_tokens: float,
) -> None:
    """Add the summary that reaches furthest of those that end before the history begins, where it has room."""
    newest = max([end for end, _ in ends if end <= start], default=None)
    for end, part in ends:
        tokens = room.tokens_per_size * part.size
        if end > start:
            selection.refuse(part, tokens, reason="the history holds what it stands for")
        elif end != newest:
            selection.refuse(part, tokens, reason="another summary reaches further")
        elif history_tokens > room.left_beside(selection, tokens):
            selection.refuse(part, tokens, reason="there is no room beside the newest turn")
        else:
            newest = None  # of two that reach as far, one is enough
            selection.add(part, tokens)


def _outline(selection: Selection, said: Sequence[Entry], size: float) -> Outline:
    """Outline a prompt with a history of a size."""
    late = selection.late
    if not late:
        return outline_of(selection.before_history, said, steady=len(said), steady_size=size)
    newest, deep = _last_turn(said) if said else 0, selection.of(Slot.HISTORY)
    steady = max(0, min(newest, len(said) - max((one.part.depth for one in deep), default=0)))
    steady_size = size - sum([entry.size for entry in said[steady:]])
    return outline_of(selection.before_history, said, late, steady=steady, steady_size=steady_size)


class _Room(NamedTuple):
    budget_tokens: float
    tokens_per_size: float
    reserved_tokens: float
    extra_size: float

    def left(self, selection: Selection) -> float:
        """Tokens that the history may take."""
        return self.budget_tokens - self.taken(selection)

    def left_beside(self, selection: Selection, more_tokens: float) -> float:
        """Tokens that the history may take beside another varying part."""
        return self.budget_tokens - self.taken(selection, more_tokens)

    def taken(self, selection: Selection, more_tokens: float = 0.0) -> float:
        """Tokens that the parts take, the reserved ones included, and ``more_tokens`` of another varying part."""
        tokens = self.tokens_per_size * (selection.fixed_size + self.extra_size)
        return tokens + max(self.reserved_tokens, self.tokens_per_size * selection.varying_size + more_tokens)


def _too_long(said: Sequence[Entry], room: _Room, selection: Selection) -> ContextTooLong:
    newest = sum(entry.size for entry in said[_last_turn(said) :])
    wanted = round(room.tokens_per_size * newest + room.taken(selection))
    return ContextTooLong(
        f"the newest message and the instructions take about {wanted} tokens, and the model has room for"
        f" {max(round(room.budget_tokens), 0)} beside its reply: shorten them, or lower max_tokens"
    )


def _arranged(
    selection: Selection,
    said: Sequence[Entry],
    *,
    late_system: bool,
    assistant_first: bool,
    joins_replies: bool,
    is_plain: bool,
) -> tuple[list[dict[str, Any]], tuple[int, ...]]:
    """Return the messages in order, and after how many of them the prompt may change from turn to turn."""
    head = [part.sent for part in selection.before_history]
    history = [entry.sent for entry in said]
    if not is_plain:
        history = joined_roles(history, joins_replies=joins_replies)
    if not assistant_first and history and _is_text_of_assistant(history[0]):
        head, history = [*head, _told(history[0])], history[1:]
    deep, tail, last = [selection.of(slot) for slot in (Slot.HISTORY, Slot.TAIL, Slot.POST_HISTORY)]
    if not (deep or tail or last):
        return [*head, *history], _marks(len(head), len(head) + len(history))
    newest = _newest_of_user(history)
    if not late_system:
        messages = [*head, *_with_context(history, newest, [*deep, *tail, *last])]
        return messages, _marks(len(head), len(head) + newest)
    arranged = [*history[:newest], *[part.sent for part in tail], *history[newest:]]
    unchanged = newest if tail else len(history)
    for part in sorted(deep, key=lambda one: one.part.depth) if deep else ():
        place = _before_calls(arranged, max(0, len(arranged) - part.part.depth))
        arranged.insert(place, part.sent)
        unchanged = min(unchanged, place)
    if not _SYSTEM.issuperset([part.part.role for part in (*tail, *deep)]):  # nothing is joined with a system message
        arranged = joined_roles(arranged, joins_replies=joins_replies)
    messages = [*head, *arranged, *[part.sent for part in last]]
    return messages, _marks(len(head), len(head) + unchanged)


def _is_text_of_assistant(message: Mapping[str, Any]) -> bool:
    return message["role"] == "assistant" and "tool_calls" not in message


def _told(greeting: Mapping[str, Any]) -> dict[str, Any]:
    """Return an instruction that quotes what the assistant has said first."""
    texts = [part["text"] for part in content_parts(greeting["content"]) if isinstance(part.get("text"), str)]
    return {"role": "system", "content": "\n\n".join([_TOLD, *texts])}


def _marks(head: int, unchanged: int) -> tuple[int, ...]:
    """Positions of the last message of what every prompt begins with, and of the last one before what varies."""
    return tuple(sorted({position for position in (head - 1, unchanged - 1) if position >= 0}))


def _before_calls(messages: Sequence[Mapping[str, Any]], place: int) -> int:
    """Move a place out from between a tool call and its results."""
    while place and place < len(messages) and messages[place]["role"] == "tool":
        place -= 1
    return place


def _with_context(
    history: Sequence[dict[str, Any]], newest: int, parts: Sequence[MeasuredPart]
) -> list[dict[str, Any]]:
    """Put what varies before the newest words of the user, in a tag that nothing inside can close."""
    texts = [_escaped(content) for part in parts if isinstance(content := part.part.content, str)]
    context = "<context>\n" + "\n\n".join(texts) + "\n</context>"
    if newest == len(history):
        return [*history, {"role": "user", "content": context}]
    message = history[newest]
    content = message["content"]
    if isinstance(content, str):
        content = f"{context}\n\n{_escaped(content)}"
    else:
        given = [
            part | {"text": _escaped(part["text"])} if isinstance(part.get("text"), str) else part
            for part in content_parts(content)
        ]
        content = [{"type": "text", "text": context}, *given]
    return [*history[:newest], message | {"content": content}, *history[newest + 1 :]]


def _escaped(text: str) -> str:
    return _CONTEXT_TAG.sub(r"&lt;\1", text)


def _position_after(said: Sequence[Entry], path: Sequence[Entry], cut: StoredId) -> int | None:
    """Find where a cut stands among what is sent now: at that message, or at the next one that is sent."""
    for entry in path:  # a generator that is left at its first value costs as much as a hundred steps
        if entry.id == cut:
            break
    else:
        return None
    for place, one in enumerate(said):
        if one.position >= entry.position:
            return place
    return None


def _last_turn(said: Sequence[Entry]) -> int:
    for place in range(len(said) - 1, -1, -1):
        if said[place].sent["role"] == "user":
            return place
    return 0


def _newest_of_user(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return the place of the user's newest message; behind all where there is none."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place]["role"] == "user":
            return place
    return len(messages)
