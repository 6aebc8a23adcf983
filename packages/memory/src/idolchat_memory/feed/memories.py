"""Which messages of a conversation are memories, and along which branch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from idolchat_core import (
    Conversation,
    MemoryMessage,
    Message,
    Page,
    Speaker,
    StoredId,
    branch_positions,
    position_of,
)
from idolchat_core.search import text_of

__all__ = ["Numbered", "active_branch", "all_memories", "branch_end", "first_of", "memories_of", "memory_text"]

MAX_TEXT = 16_384
"""Characters of a message that are indexed."""
_BLANKS = re.compile(r"\s*")
_THOUGHTS = re.compile(r"\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
"""At the beginning of a reply, as local models leave them there."""


class Numbered(NamedTuple):
    """A message and its position in the document."""

    position: int
    message: Message


def memory_text(message: Message) -> str:
    """Return what of a message is remembered: what a user or the character said, without thoughts; or nothing."""
    if message.role not in ("user", "assistant") or message.deleted_at is not None:
        return ""
    text = text_of(message)
    thoughts = _THOUGHTS.match(text) if message.role == "assistant" else None
    blanks = _BLANKS.match(text, thoughts.end() if thoughts else 0)
    start = blanks.end() if blanks else 0
    return text[start : start + MAX_TEXT].rstrip()  # a copy of no more than that: a reply may have 64 MiB


def active_branch(page: Page) -> list[Numbered]:
    """List the active branch as far as a page holds it, oldest first; nothing where its end is not in the page."""
    messages = page.conversation.messages
    head = page.conversation.head
    end = len(messages) - 1 if head is None else position_of(messages, head)
    return [] if end is None else _ancestors(page, end)


def branch_end(page: Page, last_id: str) -> list[Numbered] | None:
    """List a branch that ends with a message, as ``active_branch``; None where that is not in the page."""
    end = next((at for at, message in enumerate(page.conversation.messages) if str(message.id) == last_id), None)
    return None if end is None else _ancestors(page, end)


def memories_of(
    branch: Sequence[Numbered], *, first: StoredId | None = None, goes_on: bool = False
) -> Iterator[MemoryMessage]:
    """Make memories of a branch, or of one that ``goes_on`` behind others.

    What is said before the user has said anything is a greeting, which is canned: it is nobody's memory. A reply that
    says nothing of who gave it is that of ``first``, with whom a group began (see ``first_of``).
    """
    user_has_spoken = goes_on
    for position, message in branch:
        user_has_spoken = user_has_spoken or message.role == "user"
        text = memory_text(message)
        if text and user_has_spoken:
            role: Speaker = "assistant" if message.role == "assistant" else "user"
            given_by = message.character_id or (first if role == "assistant" else None)
            speaker = message.name or ("" if given_by is None else str(given_by))
            yield MemoryMessage(str(message.id), position, role, speaker, message.timestamp, text)


def first_of(conversation: Conversation) -> StoredId | None:
    """Return whose replies in a group are without a name: they are from before others joined. None for no group."""
    return conversation.character_id if conversation.character_ids else None


def all_memories(conversation: Conversation) -> list[MemoryMessage]:
    """Make memories of the active branch of a whole conversation."""
    whole = Page(conversation=conversation, start=0, total=len(conversation.messages), revision="")
    return list(memories_of(active_branch(whole), first=first_of(conversation)))


def _ancestors(page: Page, end: int) -> list[Numbered]:
    messages = page.conversation.messages
    return [Numbered(page.start + at, messages[at]) for at in branch_positions(messages, end)]
