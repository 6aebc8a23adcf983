"""The newest part of a conversation's active branch, kept in memory between turns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import count
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.models import Conversation, Message, Page, StoredId, new_id, utc_now
from idolchat_core.prompt.entry import Entry, entry_of
from idolchat_core.prompt.outline import Outline
from idolchat_core.storage.contract import Storage

__all__ = ["Histories", "History"]

PAGE_SIZE = 64
_readings = count(1)
_HISTORY_BYTES = 700
"""Memory that a history takes besides its entries: measured, CPython 3.12."""


class History:
    """One conversation as the turn engine knows it.

    ``path`` is the loaded end of the active branch, oldest first, which ``Histories`` give with at least its last
    message; ``total`` and ``last_id`` speak of the document, all branches together, as do ``updated_at`` and
    ``revision`` (None where what is stored may be more); ``cut`` is the id of the message that prompts begin
    with. ``last_prompt`` is the outline of the last one. ``reading`` numbers the histories that were read. A history
    that ``is_outdated`` serves the turn that has it, and is kept for no other.
    """

    __slots__ = (
        "_at_root",
        "_unread",
        "_wanted",
        "character_id",
        "character_ids",
        "created_at",
        "cut",
        "held_bytes",
        "id",
        "is_outdated",
        "last_id",
        "last_prompt",
        "next_speaker",
        "path",
        "persona_id",
        "reading",
        "revision",
        "total",
        "updated_at",
        "user_id",
    )

    def __init__(self, page: Page) -> None:
        conversation = page.conversation
        self.id = conversation.id
        self.user_id = conversation.user_id
        self.character_id = conversation.character_id
        self.character_ids = conversation.character_ids or ()
        self.next_speaker = conversation.next_speaker
        self.persona_id = conversation.persona_id
        self.total = page.total
        self.revision: str | None = page.revision
        self.created_at = conversation.created_at
        self.updated_at = conversation.updated_at
        self.last_id: StoredId | None = conversation.messages[-1].id if conversation.messages else None
        self.path: list[Entry] = []
        self.held_bytes = _HISTORY_BYTES
        self.cut: StoredId | None = None
        self.is_outdated = False
        self.reading = next(_readings)
        self.last_prompt: Outline | None = None
        self._wanted = conversation.head
        self._unread = page.total
        self._at_root = False
        self.extend(page)

    @classmethod
    def of_new(cls, conversation: Conversation, *, revision: str | None) -> History:
        """Return the history of a conversation that was just created."""
        history = cls(Page(conversation=conversation, start=0, total=len(conversation.messages), revision=""))
        history.revision = revision
        return history

    @property
    def is_complete(self) -> bool:
        """Whether ``path`` begins with the first message of the branch."""
        return self._at_root or self._unread == 0

    @property
    def unread(self) -> int:
        """How many messages of the document stand before what was read."""
        return self._unread

    def extend(self, page: Page) -> None:
        """Walk the branch on towards its root, through the messages that stand just before those already read.

        What was read meanwhile, for another turn that looks at the same history, is left out.
        """
        older: list[Entry] = []
        messages = page.conversation.messages[: max(0, self._unread - page.start)]
        for position in range(len(messages) - 1, -1, -1):
            message = messages[position]
            if self._at_root:
                break
            if self._wanted is None or message.id == self._wanted:
                older.append(entry_of(message, page.start + position))
                self._wanted = message.parent_id
                self._at_root = message.parent_id is None and "parent_id" in message.model_fields_set
        self.path[:0] = reversed(older)
        self.held_bytes += _held(older)
        self._unread = min(self._unread, page.start)

    def followed_by(self, page: Page) -> History | None:
        """Return the history with the messages that were added since, all that the document has from ``total`` on.

        None where they are on a branch that leaves this one before what is loaded, or are known here by now.
        """
        if page.start != self.total:
            return None
        grown = History(page)
        if not page.conversation.messages:
            grown.last_id = self.last_id
        if grown._at_root:
            return grown
        position = self.position_of(grown._wanted or self.last_id)
        if position is None:
            return None
        kept = self.path[: position + 1]
        grown.path[:0] = kept
        grown._wanted, grown._unread, grown._at_root = self._wanted, self._unread, self._at_root
        if len(kept) < len(self.path):
            grown.held_bytes += _held(kept)
        else:
            grown.held_bytes += self.held_bytes - _HISTORY_BYTES
            grown.cut, grown.last_prompt = self.cut, self.last_prompt
        return grown

    def turn_to(self, branch: History | None) -> None:
        """Set ``path`` to another branch of the conversation; None empties it, for a branch that begins anew."""
        self.path = branch.path if branch is not None else []
        self.held_bytes = branch.held_bytes if branch is not None else _HISTORY_BYTES
        self._wanted = branch._wanted if branch is not None else None  # noqa: SLF001  its own kind
        self._unread = branch._unread if branch is not None else 0  # noqa: SLF001
        self._at_root = branch is None or branch._at_root  # noqa: SLF001
        self.cut, self.last_prompt = None, None

    def position_of(self, message_id: StoredId | None) -> int | None:
        """Find a message in ``path``."""
        path = self.path
        for position in range(len(path) - 1, -1, -1):
            known = path[position].id
            if known is message_id or known == message_id:  # the first takes no call
                return position
        return None

    def placed(self, messages: Sequence[Message], *, keep: int) -> list[Message]:
        """Return messages with the ``parent_id`` that puts them after the first ``keep`` entries of ``path``."""
        parent = self.path[keep - 1].id if keep else None
        if not messages or parent == self.last_id:
            return list(messages)
        return [messages[0].model_copy(update={"parent_id": parent}), *messages[1:]]

    def interruption(self, keep: int) -> list[Message]:
        """Return the reply that stands for none, where the first ``keep`` of ``path`` end with a turn's question.

        A crash has left it so; with that reply the roles alternate, and everybody can see that the turn failed.
        """
        last = self.path[keep - 1] if keep else None
        if last is None or last.role != "user" or last.turn_id is None or last.is_deleted:
            return []
        return [
            Message(
                id=new_id(),
                role="assistant",
                content="",
                timestamp=utc_now(),
                finish_reason="interrupted",
                turn_id=last.turn_id,
            )
        ]

    def add(self, messages: Iterable[Message], *, keep: int) -> None:
        """Record messages that were stored after the first ``keep`` of ``path``, which they now follow."""
        if keep < len(self.path):
            self.held_bytes -= _held(self.path[keep:])
            del self.path[keep:]
        for message in messages:
            entry = entry_of(message, self.total)
            self.path.append(entry)
            self.held_bytes += entry.held_bytes
            self.last_id = message.id
            self.updated_at = max(self.updated_at, message.timestamp)
            self.total += 1

    def forget_before_cut(self) -> None:
        """Release what prompts no longer begin with; it can be read again."""
        start = self.position_of(self.cut) if self.cut is not None else None
        if start is not None and start > PAGE_SIZE:
            oldest = self.path[start]
            self.held_bytes -= _held(self.path[:start])
            del self.path[:start]
            self._wanted = oldest.parent_id
            self._at_root = False
            self._unread = oldest.position


def _held(entries: Iterable[Entry]) -> int:
    return sum(entry.held_bytes for entry in entries)


class Histories:
    """The histories in use, least recently used first, together no larger than ``max_bytes``, or one alone."""

    def __init__(self, storage: Storage, *, max_bytes: int) -> None:
        self._storage = storage
        self._max_bytes = max_bytes
        self._known: OrderedDict[int, tuple[History, int]] = OrderedDict()  # by the number of the id
        self._held = 0

    async def get(self, conversation_id: UUID) -> History:
        """Return a history, read from storage where it is not known.

        Raises ``ConversationNotFound``, ``ConversationDamaged``, ``StorageUnavailable``.
        """
        known = self._known.get(conversation_id.int)
        if known is not None:
            self._known.move_to_end(conversation_id.int)
            return known[0]
        history = await self.read(conversation_id)
        self.keep(history)
        return history

    async def read(self, conversation_id: UUID) -> History:
        """Return a history that is read anew, and is its caller's alone. Raises as ``get``."""
        return await self._of(await self._storage.read_page(conversation_id, limit=PAGE_SIZE))

    async def changed(self, history: History | None, page: Page, *, is_added: bool) -> History:
        """Return the history that ends with a page that was just read; with ``is_added``, of what ``history`` lacks.

        Raises as ``get``.
        """
        self._check_sound(page)
        if history is None or not is_added:
            history = await self._of(page)
            self.keep(history)
            return history
        grown = history.followed_by(page)
        if grown is None:
            self.forget(history.id)
            return await self.get(history.id)
        self.keep(grown)
        return grown

    async def _of(self, page: Page) -> History:
        """Return the history that ends with a page that was just read, or with the head, which may stand before it.

        A head that is nowhere is none, as in a document that somebody has edited.
        """
        self._check_sound(page)
        history = History(page)
        while not history.path and not history.is_complete:
            await self.extend(history)
        if not history.path and history.total:
            headless = page.conversation.model_copy(update={"head": None})
            history = History(page.model_copy(update={"conversation": headless}))
        return history

    @staticmethod
    def _check_sound(page: Page) -> None:
        if page.conversation.status == "damaged":
            raise ConversationDamaged(
                f"conversation {page.conversation.id} is damaged and takes no new messages; what can be read of it is"
                " served. Mend its file, or restore it"
            )

    async def refreshed(self, history: History) -> History:
        """Return a history as it is stored now, read again only where another process has changed it.

        The cost is that of a page of one message. Raises as ``get``.
        """
        try:
            page = await self._storage.read_page(history.id, limit=1)
        except ConversationNotFound:
            self.forget(history.id)
            raise
        if page.revision == history.revision:
            return history
        self.forget(history.id)
        return await self.get(history.id)

    def keep(self, history: History) -> None:
        """Remember a history, or that it has grown."""
        self._drop(history.id.int)
        if history.is_outdated:
            return
        held = history.held_bytes + (history.last_prompt.held_bytes if history.last_prompt is not None else 0)
        self._known[history.id.int] = (history, held)
        self._held += held
        while self._held > self._max_bytes and len(self._known) > 1:
            self._drop(next(iter(self._known)))

    def forget(self, conversation_id: UUID) -> None:
        """Read it again next time, also where a turn that runs has it now and goes on to use it."""
        known = self._known.get(conversation_id.int)
        if known is not None:
            known[0].is_outdated = True
            self._drop(conversation_id.int)

    def _drop(self, number: int) -> None:
        _, held = self._known.pop(number, (None, 0))
        self._held -= held

    async def load_until(self, history: History, *, size: float) -> None:
        """Load older messages until those loaded have at least this size, or all are loaded."""
        while not history.is_complete and sum(entry.size for entry in history.path) < size:
            await self.extend(history)

    async def load_message(self, history: History, message_id: StoredId) -> int | None:
        """Find a message's position in the branch, loading it and what it follows; None when it is not in there."""
        position = history.position_of(message_id)
        while not position and not history.is_complete:
            await self.extend(history)
            position = history.position_of(message_id)
        return position

    async def load_question(self, history: History) -> Entry | None:
        """Return the newest message of the branch that is no reply, loading what is needed; None without any."""
        while True:
            asked = next((entry for entry in reversed(history.path) if entry.role != "assistant"), None)
            if asked is not None or history.is_complete:
                return asked
            await self.extend(history)

    async def turn_to(self, history: History, message_id: StoredId | None) -> bool:
        """Set a history's ``path`` to the branch that ends with a message; None empties it. False if it is not there.

        What is stored still names the branch that it had: where nothing is written there, ``forget`` the history.
        """
        if message_id is None:
            history.turn_to(None)
            return True
        before: int | None = None
        branch: History | None = None
        while before != 0:
            page = await self._storage.read_page(history.id, limit=PAGE_SIZE, before=before)
            if branch is None:
                ending = page.conversation.model_copy(update={"head": message_id})
                branch = History(page.model_copy(update={"conversation": ending}))
            else:
                branch.extend(page)
            if branch.path:
                history.turn_to(branch)
                return True
            before = page.start
        return False

    async def extend(self, history: History) -> None:
        """Load the next older messages, more at a time the more were read already."""
        limit = max(PAGE_SIZE, history.total - history.unread)
        history.extend(await self._storage.read_page(history.id, limit=limit, before=history.unread))
        if history.id.int in self._known:
            self.keep(history)
