"""Chats of SillyTavern: JSON Lines, of which the first is about the chat and every other one is a message.

{"user_name": "Ann", "character_name": "Mika", "create_date": "...", "chat_metadata": {"integrity": "<uuid>", ...}}
{"name": "Mika", "is_user": false, "is_system": false, "send_date": "...", "mes": "Hi", "swipes": ["Hi", "Hello"],
 "swipe_id": 0, "swipe_info": [{"send_date", "extra"}], "extra": {"reasoning", "model", "image", "file", ...}}

Chats of groups, and old ones, have no first line. chub.ai writes {"message": text} for a text. A branch or checkpoint
is a file of its own with the ``integrity`` and ``create_date`` of the chat that it was made from, so its name tells
it from that. The swipes of a message are branches here. ``is_system`` hides a message from the model, by /hide, as a
/comment, or because it is a note of the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from idolchat_cli.conversations.importing.candidate import Findings
from idolchat_cli.conversations.importing.exported import Attachment, Exported
from idolchat_cli.conversations.importing.parts import attachment, list_in, mapping_in, string_in, text_of
from idolchat_cli.conversations.importing.streamed import Damaged
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_sillytavern", "is_sillytavern_line", "read_sillytavern"]

_NOTES = frozenset(
    {
        "assistant_note", "empty", "formatting", "generic", "group", "help", "hotkeys", "macros", "slash_commands",
        "welcome", "welcome_prompt",
    }
)  # fmt: skip
"""Kinds of messages that the program itself writes: ``system_message_types`` in its ``script.js``."""

_WRITTEN_BY_USER = frozenset({"comment", "narrator"})
_NAMES = ("user_name", "character_name")
_NAMELESS = "unused"
"""What stands for both names in chats of groups."""


def is_sillytavern(first: Mapping[str, Any]) -> bool:
    """Return whether a first line is that of a chat, or of one without such a line."""
    return "chat_metadata" in first or all(name in first for name in _NAMES) or _is_message(first)


def is_sillytavern_line(value: Any) -> bool:
    """Return whether a value, which may be anything, is a line of such a chat."""
    return isinstance(value, Mapping) and is_sillytavern(value)


def read_sillytavern(lines: Iterable[tuple[int, Any]], source: str, name: str) -> Findings:
    """Read a chat from its numbered lines; ``name`` is that of its file."""
    reading = _Reading(source, name)
    for number, line in lines:
        reading.add(number, line)
    yield from reading.result.findings()


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and "mes" in value and ("is_user" in value or "name" in value)


class _Reading:
    def __init__(self, source: str, name: str) -> None:
        self._name = name
        self._before: str | None = None
        self.result = Exported("sillytavern", name, source)

    def add(self, number: int, line: Any) -> None:
        if isinstance(line, Damaged):
            self._add_damaged(number, line)
        elif _is_message(line):
            self._add_message(number, line)
        elif is_sillytavern_line(line):
            self._begin(line)
        elif line not in (None, "", {}, []):
            self.result.skip("line that is no message", f"line {number}", is_lost=True)

    def _add_damaged(self, number: int, line: Damaged) -> None:
        """Import what is complete in a line that is cut."""
        try:
            found = from_json(line.text.strip(), allow_partial=True)
        except ValueError:
            found = None
        place = f"line {number}"
        if _is_message(found):
            self.result.skip("end of a damaged line, behind its text", place)
            self._add_message(number, found)
        elif self._before is None and isinstance(found, Mapping) and not {"is_user", "name"} & found.keys():
            self.result.skip("damaged line about the chat, before its messages", place)
            self._begin(found)
        else:
            self.result.skip("line that is not valid", place, is_lost=True, detail=line.reason)

    def _begin(self, first: Mapping[str, Any]) -> None:
        if self._before is not None or self.result.about:
            return
        names = {key: first[key] for key in _NAMES if isinstance(first.get(key), str) and first[key] != _NAMELESS}
        integrity = mapping_in(first, "chat_metadata").get("integrity")
        family = str(integrity or [first.get(key) for key in (*_NAMES, "create_date")])
        self.result.name = f"{family}:{self._name}"
        self.result.created_at = read_time(first.get("create_date"))
        self.result.about = names

    def _add_message(self, number: int, line: Mapping[str, Any]) -> None:
        place = f"line {number}"
        extra = mapping_in(line, "extra")
        kind = extra.get("type")
        text = text_of(line["mes"])
        if text is None and line["mes"] is not None:
            self.result.skip("message whose text cannot be read", place, is_lost=True)
            return
        if _is_true(line.get("is_system")) and kind in _NOTES:
            self.result.skip("note of the program", place)
            return
        is_user = _is_true(line.get("is_user")) or kind in _WRITTEN_BY_USER
        given: dict[str, Any] = {
            "is_hidden": _is_true(line.get("is_system")),
            "speaker": string_in(line, "name"),
        }
        role, parent = "user" if is_user else "assistant", self._before
        for position, swipe, about in _other_swipes(line, text or ""):
            self.result.add(f"{place} swipe {position}", parent, role, swipe, **_made(about, line), **given)
        self._before = self.result.add(
            place, parent, role, "\n\n".join(filter(None, (text, *_file_texts(extra)))),
            attachments=list(_attachments(extra)), **_made({"extra": extra}, line), **given,
        )  # fmt: skip


def _other_swipes(line: Mapping[str, Any], text: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Return the alternatives of a message that were not chosen, with what is known of each."""
    swipes = [text_of(swipe) for swipe in list_in(line, "swipes")]
    infos = list_in(line, "swipe_info")
    chosen = line.get("swipe_id") if text not in swipes else None
    for position, swipe in enumerate(swipes):
        if swipe and swipe.strip() and swipe != text and position != chosen:
            info = infos[position] if position < len(infos) else None
            yield position, swipe, info if isinstance(info, Mapping) else {}


def _made(about: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    """Return when and by which model something was said, and its reasoning."""
    extra = mapping_in(about, "extra")
    time = read_time(about.get("send_date")) or read_time(line.get("send_date"))
    model = None if _is_true(line.get("is_user")) else string_in(extra, "model")
    return {"time": time, "reasoning": string_in(extra, "reasoning"), "model": model}


def _attachments(extra: Mapping[str, Any]) -> Iterator[Attachment]:
    for kind in ("image", "video", "audio"):
        if extra.get(kind):
            yield attachment(extra[kind], kind)
    for image in list_in(extra, "image_swipes"):
        if image != extra.get("image"):
            yield attachment(image, "image")
    yield from (attachment(one) for one in list_in(extra, "media"))
    yield from (attachment(one, "file") for one in [extra.get("file"), *list_in(extra, "files")] if _has_no_text(one))


def _file_texts(extra: Mapping[str, Any]) -> Iterator[str]:
    """Return the text of attached files, which old versions kept in the chat."""
    for one in [extra.get("file"), *list_in(extra, "files")]:
        if isinstance(one, Mapping) and not _has_no_text(one):
            yield f"{attachment(one, 'file')}\n{one['text']}"


def _has_no_text(file: Any) -> bool:
    return bool(file) and not (isinstance(file, Mapping) and isinstance(file.get("text"), str) and file["text"].strip())


def _is_true(value: Any) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)
