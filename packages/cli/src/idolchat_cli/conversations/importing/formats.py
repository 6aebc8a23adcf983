"""The forms in which conversations are known, one after the other: the first that recognises an object reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from idolchat_cli.conversations.importing.agnai import is_agnai, read_agnai
from idolchat_cli.conversations.importing.cai_tools import is_cai_tools, read_cai_tools
from idolchat_cli.conversations.importing.candidate import Findings, Skipped
from idolchat_cli.conversations.importing.chatgpt import is_chatgpt, read_chatgpt
from idolchat_cli.conversations.importing.claude import is_claude, read_claude
from idolchat_cli.conversations.importing.librechat import is_librechat, read_librechat
from idolchat_cli.conversations.importing.native import is_native, read_native
from idolchat_cli.conversations.importing.openwebui import is_openwebui, read_openwebui
from idolchat_cli.conversations.importing.risu import is_risu, read_risu
from idolchat_cli.conversations.importing.sillytavern import is_sillytavern, read_sillytavern

__all__ = ["UNKNOWN", "read_object"]

UNKNOWN = "it is no conversation in a form that is known"


class _Format(NamedTuple):
    recognizes: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], str, str], Findings]


def _read_message_alone(value: Mapping[str, Any], source: str, name: str) -> Findings:
    return read_sillytavern([(1, value)], source, name)


_FORMATS = (
    _Format(is_chatgpt, read_chatgpt),
    _Format(is_claude, read_claude),
    _Format(is_openwebui, read_openwebui),
    _Format(is_librechat, read_librechat),
    _Format(is_risu, read_risu),
    _Format(is_cai_tools, read_cai_tools),
    _Format(is_agnai, read_agnai),
    _Format(is_native, read_native),
    _Format(is_sillytavern, _read_message_alone),
)
_WRAPPERS = ("conversations", "chats")


def read_object(value: Any, source: str, name: str) -> Findings:
    """Read what an object holds; ``name`` is that of its file, where it is alone in it."""
    if not isinstance(value, Mapping):
        yield Skipped(source, UNKNOWN)
        return
    for form in _FORMATS:
        if form.recognizes(value):
            yield from form.read(value, source, name)
            return
    wrapped = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), list)), None)
    if wrapped is None:
        yield Skipped(source, UNKNOWN)
        return
    for number, one in enumerate(wrapped, 1):
        yield from read_object(one, f"{source}, conversation {number}", f"{name} {number}")
