"""Conversations as tests send and look at them: what was said, as paths from the first message to each last one."""

from collections.abc import Sequence
from typing import Any

from idolchat_core import Conversation, Message
from idolchat_core.testing import InMemoryStorage

type Path = tuple[str, ...]


def said(*texts: str) -> list[dict[str, Any]]:
    """Return a history to send: these texts, the user's first."""
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


async def conversations(storage: InMemoryStorage) -> list[Conversation]:
    """Return all conversations, the oldest first."""
    found = [await storage.read(conversation_id) for conversation_id in await storage.list_ids()]
    return sorted(found, key=lambda one: one.created_at)


def paths(conversation: Conversation) -> list[Path]:
    """Return the texts of every branch, the oldest first."""
    messages = conversation.messages
    parents = {message.id: _parent(messages, place) for place, message in enumerate(messages)}
    by_id = {message.id: message for message in messages}
    leaves = [message for message in messages if message.id not in parents.values()]
    found = []
    for leaf in leaves:
        path: list[str] = []
        at: Any = leaf.id
        while at is not None:
            path.append(text(by_id[at]))
            at = parents[at]
        found.append(tuple(reversed(path)))
    return found


def active(conversation: Conversation) -> Path:
    """Return the texts of the active branch."""
    messages = conversation.messages
    head = conversation.head or messages[-1].id
    parents = {message.id: _parent(messages, place) for place, message in enumerate(messages)}
    by_id = {message.id: message for message in messages}
    path: list[str] = []
    at: Any = head
    while at is not None:
        path.append(text(by_id[at]))
        at = parents[at]
    return tuple(reversed(path))


def text(message: Message) -> str:
    """Return what a message says."""
    return message.content if isinstance(message.content, str) else str(message.content)


def _parent(messages: Sequence[Message], place: int) -> Any:
    message = messages[place]
    if "parent_id" in message.model_fields_set:
        return message.parent_id
    return messages[place - 1].id if place else None
