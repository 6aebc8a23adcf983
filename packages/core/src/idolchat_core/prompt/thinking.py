"""The thoughts that local models leave in the text of their replies, kept out of later prompts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from idolchat_core.llm.token_estimator import message_size
from idolchat_core.prompt.entry import Entry

__all__ = ["without_thinking"]

_THOUGHTS = re.compile(r"\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)
"""At the beginning of a reply; one that never ends is all of it."""


def without_thinking(path: Sequence[Entry]) -> Sequence[Entry]:
    """Leave the thoughts out of replies that begin with ``<think>``, as the chat templates of such models do."""
    return [_spoken(entry) if entry.sent["role"] == "assistant" else entry for entry in path]


def _spoken(entry: Entry) -> Entry:
    content = entry.sent["content"]
    thoughts = _THOUGHTS.match(content) if isinstance(content, str) else None
    if thoughts is None:
        return entry
    sent = entry.sent | {"content": content[thoughts.end() :]}
    return entry._replace(sent=sent, size=message_size(sent))
