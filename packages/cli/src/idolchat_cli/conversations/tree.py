"""The branches of a conversation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from idolchat_core.models import Conversation, Message, StoredId

__all__ = ["Tree", "parents"]


def parents(messages: Sequence[Message]) -> Iterator[StoredId | None]:
    """Yield each message's parent: the message before it, where it names no other."""
    before: StoredId | None = None
    for message in messages:
        yield message.parent_id if "parent_id" in message.model_fields_set else before
        before = message.id


class Tree:
    """Who follows whom; ``ends`` are the messages that nothing follows, the last stored one last."""

    def __init__(self, conversation: Conversation) -> None:
        self._parents: dict[StoredId, StoredId | None] = {}
        self._children: defaultdict[StoredId | None, list[StoredId]] = defaultdict(list)
        for message, parent in zip(conversation.messages, parents(conversation.messages), strict=True):
            self._parents[message.id] = parent
            self._children[parent].append(message.id)
        self.ends = [message.id for message in conversation.messages if message.id not in self._children]

    def place(self, message: Message) -> tuple[int, int]:
        """Return a message's number among its siblings, from 1, and how many there are."""
        siblings = self._children[self._parents[message.id]]
        return siblings.index(message.id) + 1, len(siblings)
