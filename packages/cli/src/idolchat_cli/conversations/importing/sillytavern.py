"""Chats of SillyTavern: JSON Lines, of which the first is about the chat and every other one is a message.

{"user_name": "Ann", "character_name": "Mika", "create_date": "...", "chat_metadata": {"integrity": "<uuid>", ...}}
{"name": "Mika", "is_user": false, "is_system": false, "send_date": "...", "mes": "Hi", "swipes": ["Hi", "Hello"],
 "swipe_id": 0, "extra": {...}}

The swipes of a message are branches here. ``is_system`` hides a message from the prompt; it is kept as one of the
conversation, unless it is a note of the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from pydantic import ValidationError

from idolchat_cli.conversations.importing.branching import Placed, in_order
from idolchat_cli.conversations.importing.candidate import Candidate, Finding, NotTaken, derived_id
from idolchat_core.models import Conversation, Message, StoredId

__all__ = ["is_sillytavern", "read_sillytavern"]

_NOTES = frozenset(
    {"help", "welcome", "comment", "slash_commands", "formatting", "hotkeys", "macros", "empty", "generic"}
)
_EPOCH = datetime.fromtimestamp(0, UTC)
_HUMAN = (
    (re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})\s*@\s*(\d{1,2})h\s*(\d{1,2})m\s*(?:(\d{1,2})s)?"), None),
    (re.compile(r"([A-Z][a-z]+ \d{1,2}, \d{4} \d{1,2}:\d{2}\s*[ap]m)", re.IGNORECASE), "%B %d, %Y %I:%M%p"),
)


def is_sillytavern(first: Mapping[str, Any]) -> bool:
    """Tell whether a first line is that of a chat, or of one without such a line."""
    return "chat_metadata" in first or ("user_name" in first and "character_name" in first) or _is_message(first)


def read_sillytavern(lines: Iterable[tuple[int, Any]], source: str, *, name: str) -> Iterator[Finding]:
    """Read a chat from its numbered lines; what is left out is told first."""
    reading = _Reading(source, name)
    placed = list(reading.placed(lines))
    yield from reading.left_out
    if placed:
        yield Candidate(reading.conversation(in_order(placed)), source)
    else:
        yield NotTaken(source, "no message in it can be taken")


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("mes"), str) and "is_user" in value


class _Reading:
    def __init__(self, source: str, name: str) -> None:
        self._source = source
        self._about: Mapping[str, Any] = {}
        self._id = derived_id("sillytavern", name)
        self._time = _EPOCH
        self.left_out: list[NotTaken] = []

    def conversation(self, messages: Iterable[Message]) -> Conversation:
        said = tuple(messages)
        names = {key: self._about[key] for key in ("user_name", "character_name") if key in self._about}
        return Conversation.model_validate(
            {
                "id": self._id,
                "created_at": _time(self._about.get("create_date")) or said[0].timestamp,
                "messages": said,
                "updated_at": max(message.timestamp for message in said),
                "imported_from": {"program": "sillytavern", **names},
            }
        )

    def placed(self, lines: Iterable[tuple[int, Any]]) -> Iterator[Placed]:
        parent: StoredId | None = None
        for number, line in lines:
            place = f"{self._source}, line {number}"
            if number == 1 and not _is_message(line):
                self._begin(line)
            elif not _is_message(line):
                self.left_out.append(NotTaken(place, "left out: it is no message"))
            elif line.get("is_system") and (line.get("extra") or {}).get("type") in _NOTES:
                self.left_out.append(NotTaken(place, "left out: a note of the program"))
            else:
                try:
                    swipes = list(self._swipes(number, line))
                except (ValidationError, ValueError, TypeError, AttributeError) as error:
                    self.left_out.append(NotTaken(place, f"left out: {' '.join(str(error).split())}"))
                    continue
                yield from (Placed(message, parent) for message in swipes)
                parent = swipes[-1].id

    def _begin(self, first: Mapping[str, Any]) -> None:
        self._about = first
        integrity = (first.get("chat_metadata") or {}).get("integrity")
        names = [first.get(key) for key in ("user_name", "character_name", "create_date")]
        if integrity or all(names):
            self._id = derived_id("sillytavern", str(integrity or names))

    def _swipes(self, number: int, line: Mapping[str, Any]) -> Iterator[Message]:
        """Give the alternatives of a message, the one that was chosen last."""
        self._time = _time(line.get("send_date")) or self._time
        texts = [text for text in line.get("swipes") or () if isinstance(text, str)]
        chosen = line.get("swipe_id") if texts else None
        chosen = chosen if isinstance(chosen, int) and 0 <= chosen < len(texts) else None
        for position, text in enumerate(texts):
            if position != chosen and text != line["mes"]:
                yield self._message(line, text, f"line {number} swipe {position}")
        yield self._message(line, line["mes"], f"line {number}")

    def _message(self, line: Mapping[str, Any], text: str, name: str) -> Message:
        extra = line.get("extra") or {}
        is_reply = not line["is_user"]
        given: dict[str, Any] = {"model": extra["model"]} if is_reply and isinstance(extra.get("model"), str) else {}
        speaker = {"speaker": line["name"]} if isinstance(line.get("name"), str) else {}
        return Message.model_validate(
            {
                "id": uuid5(self._id, name),
                "role": "assistant" if is_reply else "user",
                "content": text,
                "timestamp": self._time,
                **given,
                **speaker,
            }
        )


def _time(value: Any) -> datetime | None:
    """Read one of the many ways in which its versions wrote times; a time without a zone is taken for UTC."""
    if isinstance(value, int | float) and value > 0:
        return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    if not isinstance(value, str):
        return None
    for pattern, form in _HUMAN:
        found = pattern.search(value)
        if found and form is None:
            return datetime(*(int(part or 0) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
        if found and form is not None:
            return datetime.strptime(found[1].replace(" am", "am").replace(" pm", "pm"), form).replace(tzinfo=UTC)
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
