"""The trees of the conversations in use, brought up to date from the storage when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from idolchat_api_openai.matching.tree import Tree
from idolchat_core import ConversationNotFound, Page, Storage

__all__ = ["Trees"]

MAX_BYTES = 64 * 1024 * 1024
NEW_MESSAGES = 3
"""Read at once of a tree that is known: a turn adds two, and the one before tells whether others are as they were."""
PAGE_SIZE = 1000


class Trees:
    """Least recently used first, together no larger than ``max_bytes``, or one alone."""

    def __init__(self, storage: Storage, *, max_bytes: int = MAX_BYTES) -> None:
        self._storage = storage
        self._max_bytes = max_bytes
        self._known: OrderedDict[UUID, tuple[Tree, int]] = OrderedDict()
        self._held = 0

    async def get(self, conversation_id: UUID) -> Tree | None:
        """Return the tree of a conversation as it is stored now; None where there is none.

        Raises ``ConversationDamaged`` and ``StorageUnavailable``.
        """
        known, _ = self._known.get(conversation_id, (None, 0))
        try:
            page = await self._storage.read_page(conversation_id, limit=NEW_MESSAGES)
            if known is not None and page.revision == known.revision:
                self._known.move_to_end(conversation_id)
                return known
            tree = await self._grown(known, page) if known is not None else None
            return self._keep(tree or await self._read(conversation_id))
        except ConversationNotFound:
            self._drop(conversation_id)
            return None

    async def _grown(self, tree: Tree, page: Page) -> Tree | None:
        """Add what is new to a tree; None where it is to be read anew, as more has changed than that."""
        count = len(tree.nodes)
        if page.total <= count:
            return None
        if page.start >= count > 0:
            page = await self._storage.read_page(tree.id, limit=page.total - count + 1)
        known, new = page.conversation.messages[: count - page.start], page.conversation.messages[count - page.start :]
        if not all(node.is_of(message) for node, message in zip(tree.nodes[page.start :], known, strict=False)):
            return None
        tree.add(new)
        return _stamped(tree, page)

    async def _read(self, conversation_id: UUID) -> Tree:
        pages: list[Page] = []
        before: int | None = None
        while before != 0:
            page = await self._storage.read_page(conversation_id, limit=PAGE_SIZE, before=before)
            pages.append(page)
            before = page.start
        tree = Tree(pages[0].conversation)
        for page in reversed(pages):
            tree.add(page.conversation.messages)
        return _stamped(tree, pages[0])

    def _keep(self, tree: Tree) -> Tree:
        self._drop(tree.id)
        self._known[tree.id] = tree, tree.size_bytes
        self._held += tree.size_bytes
        while self._held > self._max_bytes and len(self._known) > 1:
            self._drop(next(iter(self._known)))
        return tree

    def _drop(self, conversation_id: UUID) -> None:
        _, held = self._known.pop(conversation_id, (None, 0))
        self._held -= held


def _stamped(tree: Tree, page: Page) -> Tree:
    tree.revision, tree.head = page.revision, page.conversation.head
    return tree
