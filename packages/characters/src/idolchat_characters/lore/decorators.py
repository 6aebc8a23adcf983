"""Decorators: lines at the start of an entry's content, such as ``@@depth 4``.

Source: Character Card V3, "Decorators" (read 2026-11); SillyTavern's own reading of them by its behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from idolchat_characters.lore.entries import Position

__all__ = ["DECORATORS", "IGNORED", "sillytavern_decorators", "v3_decorators"]

IGNORED = frozenset({
    "end",
    "inject_at",
    "inject_lore",
    "inject_prepend",
    "inject_replace",
    "instruct_depth",
    "instruct_scan_depth",
    "is_user_icon",
    "match_full_word",
    "probability",
    "recursive",
    "reverse_instruct_depth",
    "unrecursive",
})  # fmt: skip
"""Decorators that are known, are kept, and change nothing here: of RisuAI, or for prompts that are no chat."""

_POSITIONS = {
    position.value: position
    for position in (Position.BEFORE_DESCRIPTION, Position.AFTER_DESCRIPTION, Position.PERSONALITY, Position.SCENARIO)
}
_ROLES = frozenset({"system", "user", "assistant"})
_PROMPTS = frozenset({"post_history_instructions", "system_prompt"})


def sillytavern_decorators(content: str) -> tuple[bool | None, str]:
    """Read the two decorators that SillyTavern knows, and give whether they force the entry, and the content left.

    A line with ``@@@`` counts only beneath a line that is not known.
    """
    if not content.startswith("@@"):
        return None, content
    lines = content.split("\n")
    cut = next((at for at, line in enumerate(lines) if not line.startswith("@@")), None)
    found: set[str] = set()
    is_beneath_unknown = False
    for line in lines[:cut]:
        if line.startswith("@@@") and not is_beneath_unknown:
            continue
        name = line[1:] if line.startswith("@@@") else line
        is_beneath_unknown = not name.startswith(("@@activate", "@@dont_activate"))
        found.add(name)
    forced = True if "@@activate" in found else False if "@@dont_activate" in found else None
    return forced, content if cut is None else "\n".join(lines[cut:])


def v3_decorators(content: str) -> tuple[Mapping[str, Any], tuple[str, ...], str]:
    """Read the decorators of V3, and give the fields that they set, the names not understood, and the content left.

    Of one that stands twice the first counts; one that is not known, or has a value that it cannot have, is passed
    over for the first ``@@@`` line beneath it that is understood.
    """
    lines = content.split("\n")
    end = next((at for at, line in enumerate(lines) if not line.startswith("@@")), len(lines))
    fields: dict[str, Any] = {}
    unknown: list[str] = []
    for attempts in _attempts(lines[:end]):
        understood = next((read for name, value in attempts if (read := _read(name, value)) is not None), None)
        if understood is None:
            unknown.append(attempts[0][0])
        else:
            _merge(fields, understood)
    return fields, tuple(unknown), "\n".join(lines[end:])


def _attempts(lines: list[str]) -> Iterator[list[tuple[str, str]]]:
    """Put each decorator together with its fallbacks."""
    attempts: list[tuple[str, str]] = []
    for line in lines:
        name, _, value = line.lstrip("@").partition(" ")
        if not line.startswith("@@@") and attempts:
            yield attempts
            attempts = []
        attempts.append((name.strip(), value.strip()))
    if attempts:
        yield attempts


def _merge(fields: dict[str, Any], read: Mapping[str, Any]) -> None:
    for name, value in read.items():
        if isinstance(value, tuple | frozenset):
            fields[name] = (
                fields.get(name, type(value)()) + value
                if isinstance(value, tuple)
                else (fields.get(name, frozenset()) | value)
            )
        else:
            fields.setdefault(name, value)


def _read(name: str, value: str) -> Mapping[str, Any] | None:
    reader = _READERS.get(name)
    if reader is None:
        return {} if name in IGNORED else None
    return reader(value)


def _flag(**fields: Any) -> Callable[[str], Mapping[str, Any] | None]:
    return lambda value: fields


def _count(field: str, least: int = 0, **more: Any) -> Callable[[str], Mapping[str, Any] | None]:
    def read(value: str) -> Mapping[str, Any] | None:
        if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) >= least):
            return None
        return {field: int(value), **more}

    return read


def _keys(field: str) -> Callable[[str], Mapping[str, Any] | None]:
    def read(value: str) -> Mapping[str, Any] | None:
        keys = tuple(key for part in value.split(",") if (key := part.strip()))
        return {field: keys} if keys else None

    return read


_READERS: Mapping[str, Callable[[str], Mapping[str, Any] | None]] = {
    "activate": _flag(forced=True),
    "dont_activate": _flag(forced=False),
    "activate_only_after": _count("only_after"),
    "activate_only_every": _count("only_every", 1),
    "keep_activate_after_match": _flag(keep_after_match=True),
    "dont_activate_after_match": _flag(mute_after_match=True),
    "depth": _count("depth", position=Position.AT_DEPTH),
    "reverse_depth": _count("depth", position=Position.FROM_START),
    "scan_depth": _count("scan_depth"),
    "is_greeting": _count("greeting"),
    "ignore_on_max_context": _flag(leaves_first=True),
    "role": lambda value: {"role": value} if value in _ROLES else None,
    "position": lambda value: {"place": _POSITIONS[value]} if value in _POSITIONS else None,
    "additional_keys": _keys("additional_keys"),
    "exclude_keys": _keys("exclude_keys"),
    "disable_ui_prompt": lambda value: {"disabled_prompts": frozenset({value})} if value in _PROMPTS else None,
}

DECORATORS = frozenset(_READERS)
"""The decorators of V3 that do something."""
