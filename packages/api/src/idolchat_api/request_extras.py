"""What a request may buy or choose beside tokens of a model, and which of it a request asks for.

The names are those of OpenRouter's API (openrouter.ai/docs: API reference, server tools, presets, model variants;
read 2026-11-24).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from idolchat_core.turns.request import TurnOptions

__all__ = ["EXTRAS", "MODEL_SUFFIXES", "PRESET", "SERVER_TOOLS", "extras_in", "granted_by_name"]

SERVER_TOOLS = "server_tools"
"""Tools that the provider runs: whatever is in ``tools`` and not of type ``function``."""

MODEL_SUFFIXES = "model_suffixes"
"""Suffixes that any model takes and that choose its provider or add a tool; ``:free`` is a model of its own."""

PRESET = "preset"
"""A configuration in the account of whoever pays; also a model named ``@preset/...``."""

_COSTLY = frozenset({"plugins", PRESET, "provider", "route", "service_tier", "transforms", "web_search_options"})
_IDENTITY = frozenset({"prompt_cache_key", "safety_identifier", "session_id", "trace", "user"})
"""Fields that tell the provider whose request it is, and which requests belong together: a user could name another."""

EXTRAS = _COSTLY | _IDENTITY | {SERVER_TOOLS, MODEL_SUFFIXES}

_SUFFIX = re.compile(r":(exacto|floor|nitro|online)(?![\w.-])", re.IGNORECASE)
_PRESET_MARK = re.compile(r"@preset/", re.IGNORECASE)


def extras_in(options: TurnOptions) -> Iterator[tuple[str, str]]:
    """Yield each extra that a request asks for, and the path of the field that does."""
    for name in sorted((_COSTLY | _IDENTITY) & options.options.keys()):
        yield name, name
    yield from _of_models(options)
    yield from _of_tools(options.options)


def granted_by_name(pattern: str, model: str) -> bool:
    """Return whether a pattern means a model's extra too: ``x/*`` takes in no ``x/y:online``, ``*:online`` does."""
    return all(extra in pattern for extra in _extras_of(model).values())


def _of_models(options: TurnOptions) -> Iterator[tuple[str, str]]:
    if options.model is not None:
        yield from ((name, "model") for name in _extras_of(options.model))
    others = options.options.get("models")
    for position, model in enumerate(others if isinstance(others, list) else ()):
        if isinstance(model, str):
            yield from ((name, f"models.{position}") for name in _extras_of(model))


def _extras_of(model: str) -> dict[str, str]:
    """Return the extras in a model's name, and how each is written there."""
    found = {MODEL_SUFFIXES: _SUFFIX.search(model), PRESET: _PRESET_MARK.search(model)}
    return {name: match[0] for name, match in found.items() if match}


def _of_tools(given: Any) -> Iterator[tuple[str, str]]:
    tools = given.get("tools")
    for position, tool in enumerate(tools if isinstance(tools, list) else [tools] if tools else ()):
        if not _is_function(tool):
            yield SERVER_TOOLS, f"tools.{position}"
    choice = given.get("tool_choice")
    if isinstance(choice, dict) and not _is_function(choice):
        yield SERVER_TOOLS, "tool_choice"


def _is_function(tool: object) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function"
