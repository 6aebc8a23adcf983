"""The tree of one conversation, small enough to be kept for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from idolchat_api_openai.requests.text import index_key, key_of, normal_form, trimmed_key_of
from idolchat_core import Conversation, Message, StoredId

__all__ = ["ROOT", "Node", "Tree"]

ROOT = -1
"""The position before every first message."""
_NODE_BYTES = 500


class Node:
    """One message. ``position`` is its place in the document, ``parent`` that of what it follows.

    ``is_reply`` says that a model gave it, and ``is_empty`` that it says nothing: a turn that failed, or a message that
    ``is_deleted``.
    """

    __slots__ = (
        "children", "id", "is_deleted", "is_empty", "is_reply", "key", "parent", "position", "role", "text",
        "timestamp", "trimmed_key",
    )  # fmt: skip

    def __init__(self, message: Message, position: int, parent: int) -> None:
        self.id: StoredId = message.id
        self.position = position
        self.parent = parent
        self.role = message.role
        self.timestamp = message.timestamp
        self.key = key_of(message.role, message.content, message.tool_calls, message.tool_call_id)
        self.text = normal_form(message.role, message.content, message.tool_calls, message.tool_call_id)
        self.trimmed_key = trimmed_key_of(message.role, message.content, message.tool_calls)
        self.is_empty = not self.text and message.role != "tool"
        self.is_deleted = message.deleted_at is not None
        self.is_reply = message.role == "assistant" and message.origin is None and not self.is_empty
        self.children: list[int] = []

    def is_of(self, message: Message) -> bool:
        """Return whether this is a message as it is now."""
        key = key_of(message.role, message.content, message.tool_calls, message.tool_call_id)
        return (self.id, self.key) == (message.id, key)


class Tree:
    """The messages of a conversation in the order of its document, and how they follow each other.

    ``by_key`` finds what follows a position directly and is, to the letter, what a key stands for; or was learnt to be.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.id: UUID = conversation.id
        self.user_id = conversation.user_id
        self.character_id = conversation.character_id
        self.revision: str | None = None
        self.head: StoredId | None = None
        self.nodes: list[Node] = []
        self.roots: list[int] = []
        self.size_bytes = 1000
        self._positions: dict[StoredId, int] = {}
        self.by_key: dict[tuple[int, int], list[int]] = {}
        self._by_text: dict[tuple[str, bytes], list[int]] = {}
        self._beginnings: dict[tuple[int, int], int] = {}

    def add(self, messages: Iterable[Message]) -> None:
        """Add the messages that stand next in the document."""
        for message in messages:
            position = len(self.nodes)
            node = Node(message, position, self._parent_of(message, position))
            self.nodes.append(node)
            self._positions[node.id] = position
            self.children(node.parent).append(position)
            self.by_key.setdefault((node.parent, node.key), []).append(position)
            self._by_text.setdefault((node.role, index_key(node.text)), []).append(position)
            self.size_bytes += _NODE_BYTES + len(node.text)

    def _parent_of(self, message: Message, position: int) -> int:
        if "parent_id" not in message.model_fields_set:
            return position - 1
        return self._positions.get(message.parent_id, ROOT) if message.parent_id is not None else ROOT

    def children(self, position: int) -> list[int]:
        """Return what follows a message directly, oldest first."""
        return self.roots if position == ROOT else self.nodes[position].children

    def following(self, position: int) -> Iterator[Node]:
        """Yield what follows a message, also behind what says nothing."""
        for child in self.children(position):
            node = self.nodes[child]
            if node.is_empty:
                yield from self.following(child)
            else:
                yield node

    def deleted(self, position: int) -> Iterator[Node]:
        """Yield what followed a message directly and was deleted."""
        for child in self.children(position):
            if self.nodes[child].is_deleted:
                yield self.nodes[child]

    def exactly(self, position: int, key: int) -> Sequence[int]:
        """Find what follows a message directly and is, to the letter, what a key stands for."""
        return self.by_key.get((position, key), ())

    def learn(self, position: int, key: int, node: int) -> None:
        """Remember what else stands for a message, so that it is found at once."""
        self.by_key[position, key] = [node]

    def begun(self, position: int, key: int) -> int | None:
        """Find what was learnt to begin with a text."""
        return self._beginnings.get((position, key))

    def learn_beginning(self, position: int, key: int, node: int) -> None:
        """Remember that a message begins with the text that a key stands for."""
        self._beginnings[position, key] = node

    def saying(self, role: str, text: str) -> Sequence[int]:
        """Find the messages with this text, wherever they are."""
        return self._by_text.get((role, index_key(text)), ())

    def parent(self, position: int) -> int:
        """Return what a message follows, past what says nothing."""
        position = self.nodes[position].parent
        while position != ROOT and self.nodes[position].is_empty:
            position = self.nodes[position].parent
        return position

    def position_of(self, message_id: StoredId | None) -> int | None:
        """Find a message by its id."""
        return self._positions.get(message_id) if message_id is not None else None

    def id_of(self, position: int) -> StoredId | None:
        """Return the id of a message; None for the position before the first."""
        return None if position == ROOT else self.nodes[position].id

    @property
    def head_position(self) -> int:
        """Where the active branch ends."""
        position = self.position_of(self.head)
        return len(self.nodes) - 1 if position is None else position

    def path(self, position: int) -> list[int]:
        """Return the positions from the first message to one, without those that say nothing."""
        found = []
        while position != ROOT:
            if not self.nodes[position].is_empty:
                found.append(position)
            position = self.nodes[position].parent
        return found[::-1]
