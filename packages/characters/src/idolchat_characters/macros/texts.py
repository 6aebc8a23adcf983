"""Macros for names, texts of the character and of the conversation, and blanks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from idolchat_characters.macros.context import MacroContext
from idolchat_characters.macros.expansion import MAX_OUTPUT_CHARS, Call, Handler

__all__ = ["TEXTS"]


def _value(of: Callable[[MacroContext], object]) -> Handler:
    def resolve(call: Call) -> str:
        value = of(call.context)
        return "" if value is None else str(value)

    return resolve


def _field(name: str) -> Handler:
    return lambda call: call.expansion.field(name)


def _nothing(call: Call) -> str:
    return ""


def _repeated(text: str) -> Handler:
    def resolve(call: Call) -> str:
        times = call.argument(0)
        count = int(times) if times.isascii() and times.isdigit() and len(times) < 7 else 1
        return text * min(count, MAX_OUTPUT_CHARS + 1)

    return resolve


def _reverse(call: Call) -> str:
    return call.argument(0)[::-1]


def _original(call: Call) -> str | None:
    """Return the text that the override replaces, the first time; then nothing."""
    if call.context.original is None:
        return None
    is_used, call.expansion.original_is_used = call.expansion.original_is_used, True
    return "" if is_used else call.context.original


def _hidden_key(call: Call) -> str | None:
    return "" if call.context.knows_v3 else None


def _outlet(call: Call) -> str:
    return call.context.outlets.get(call.argument(0), "")


def _group(context: MacroContext) -> str:
    return ", ".join(context.group) or context.char


def _others(context: MacroContext) -> str:
    return ", ".join(name for name in (*context.group, context.user) if name != context.char)


TEXTS: Mapping[str, Handler] = {
    "char": _value(lambda context: context.char),
    "user": _value(lambda context: context.user),
    "group": _value(_group),
    "groupnotmuted": _value(_group),
    "charifnotgroup": _value(_group),
    "notchar": _value(_others),
    "description": _field("description"),
    "chardescription": _field("description"),
    "personality": _field("personality"),
    "charpersonality": _field("personality"),
    "scenario": _field("scenario"),
    "charscenario": _field("scenario"),
    "persona": _field("persona"),
    "mesexamples": _field("examples"),
    "mesexamplesraw": _field("examples"),
    "charprompt": _field("system_prompt"),
    "charinstruction": _field("post_history_instructions"),
    "charjailbreak": _field("post_history_instructions"),
    "charversion": _value(lambda context: context.character_version),
    "char_version": _value(lambda context: context.character_version),
    "original": _original,
    "lastmessage": _value(lambda context: context.last_message),
    "lastusermessage": _value(lambda context: context.last_user_message),
    "lastcharmessage": _value(lambda context: context.last_character_message),
    "lastmessageid": _value(lambda context: context.last_message_number),
    "model": _value(lambda context: context.model),
    "maxprompt": _value(lambda context: context.max_prompt_tokens),
    "maxprompttokens": _value(lambda context: context.max_prompt_tokens),
    "outlet": _outlet,
    "newline": _repeated("\n"),
    "space": _repeated(" "),
    "noop": _nothing,
    "trim": _nothing,
    "input": _nothing,
    "banned": _nothing,
    "//": _nothing,
    "comment": _nothing,
    "hidden_key": _hidden_key,
    "reverse": _reverse,
}
