"""The one writer of a turn's messages: it puts them where they belong, whoever else writes meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from idolchat_core.coordination.contract import NewMessages
from idolchat_core.errors import (
    ConversationNotFound,
    RequestError,
    StorageConflict,
    StorageError,
    StorageUnavailable,
)
from idolchat_core.models import Conversation, Message, Page, StoredId, new_id
from idolchat_core.prompt.history import Histories, History
from idolchat_core.storage.changes import ChangeKind, changing
from idolchat_core.storage.contract import Storage

__all__ = ["Commit", "Decide", "MessageWriter", "Placement"]

log = logging.getLogger(__name__)

ATTEMPTS = 5
PAGE_SIZE = 256


class Placement(NamedTuple):
    """Where messages go: after the first ``keep`` of the loaded branch.

    With ``keep`` None they follow their own ``parent_id``, beside the active branch. ``is_aside`` says that the branch
    has gone on from there and stays the active one, ``kind`` what the change is to those who follow changes, and
    ``tells_of_turn`` that the messages carry the id of the turn that they begin. Those that ``may_follow`` come as well
    behind what others have added to the branch meanwhile; see ``NewMessages``.
    """

    messages: Sequence[Message]
    keep: int | None
    is_aside: bool = False
    kind: ChangeKind = ChangeKind.STORED
    tells_of_turn: bool = True
    may_follow: bool = False


type Decide = Callable[[History | None], Awaitable[Placement | Conversation | None]]
"""Decides, given the conversation as it is now (None: there is none): messages to add, a conversation to create, or
nothing to write. It is asked again when another process has changed the conversation meanwhile."""


type Commit = Callable[..., Awaitable[str | None]]
"""Stores what was decided, a ``Write`` or None, and returns the new revision.

It is called with ``is_kept=True`` where a turn begins of which no message tells.
"""


class MessageWriter:
    """Writes to conversations and keeps their histories up to date."""

    def __init__(self, storage: Storage, histories: Histories) -> None:
        self._storage = storage
        self._histories = histories

    async def load(self, conversation_id: UUID) -> History | None:
        """Return the history of a conversation, None where there is none. Raises ``StorageError``."""
        try:
            return await self._histories.get(conversation_id)
        except ConversationNotFound:
            return None

    async def write(
        self, conversation_id: UUID, decide: Decide, commit: Commit, *, history: History | None
    ) -> tuple[History | None, Sequence[Message]]:
        """Commit what ``decide`` says, and return the history with it and the messages as they were stored.

        ``history`` is the conversation as it was loaded before. Raises ``StorageError``, ``StorageConflict`` when
        others keep changing the conversation, and what ``decide`` raises.
        """
        for _ in range(ATTEMPTS):
            try:
                decided = await decide(history)
            except RequestError:  # what another process has added may be what it refers to
                if history is None or (now := await self._histories.refreshed(history)) is history:
                    raise
                history = now
                continue
            try:
                if isinstance(decided, Conversation):
                    return self._created(decided, await commit(decided)), decided.messages
                if decided is None or history is None:
                    await commit(None)
                    return history, ()
                return await self._append(history, decided, commit)
            except StorageUnavailable:
                self._histories.forget(conversation_id)  # it may be stored, and its answer lost: it is to be found then
                raise
            except (StorageConflict, ConversationNotFound) as conflict:
                level = logging.DEBUG if self._storage.is_shared else logging.INFO  # there, it is as usual
                log.log(level, "another process has changed the conversation", extra={"code": conflict.code})
                self._histories.forget(conversation_id)
                history = await self._as_now(history, conflict, conversation_id)
        raise StorageConflict(f"conversation {conversation_id} is being changed by another process; send again")

    async def write_reply(
        self, conversation_id: UUID, reply: Message, commit: Commit, *, answers: StoredId, history: History | None
    ) -> Message:
        """Put a reply after the message that it answers, and return it as it was stored.

        Raises ``ConversationNotFound`` where the conversation is gone, and as ``write``.
        """

        async def place(history: History | None) -> Placement | None:
            if history is None:
                raise ConversationNotFound(f"conversation {conversation_id} was deleted while it was answered")
            return await self.place_reply(history, reply, answers=answers)

        _, stored = await self.write(conversation_id, place, commit, history=history)
        return stored[0] if stored else reply

    async def place_reply(self, history: History, reply: Message, *, answers: StoredId) -> Placement | None:
        """Find where a reply goes; None where it is stored already."""
        position = await self._histories.load_message(history, answers)
        if position is None:
            # Where another process has replaced the conversation, the reply is kept, and follows nothing.
            parent_id = answers if await self._is_stored(history, answers) else None
            beside = reply.model_copy(update={"parent_id": parent_id})
            return Placement(messages=[beside], keep=None, is_aside=bool(history.path), kind=ChangeKind.REGENERATED)
        following = history.path[position + 1 :]
        same = next((entry for entry in following if entry.id == reply.id), None)
        if same is not None:
            if same.sent["content"] == reply.content and same.finish_reason == reply.finish_reason:
                return None
            reply = reply.model_copy(update={"id": new_id()})  # another process has stored part of it under this id
        has_gone_on = any(entry.role != "assistant" for entry in following)
        kind = ChangeKind.REGENERATED if following else ChangeKind.STORED
        return Placement(messages=[reply], keep=position + 1, is_aside=has_gone_on, kind=kind)

    async def _is_stored(self, history: History, message_id: StoredId) -> bool:
        """Whether a message that is not in the active branch is in the document."""
        before: int | None = None
        while before != 0:
            page = await self._storage.read_page(history.id, limit=PAGE_SIZE, before=before)
            if any(message.id == message_id for message in page.conversation.messages):
                return True
            before = page.start
        return False

    async def _as_now(self, history: History | None, refused: StorageError, conversation_id: UUID) -> History | None:
        """Return a conversation that has changed, read again only where the refusal does not tell how it is now."""
        if isinstance(refused, StorageConflict) and refused.page is not None:
            return await self._histories.changed(history, refused.page, is_added=refused.is_added)
        return await self.load(conversation_id)

    def _created(self, conversation: Conversation, revision: str | None) -> History:
        history = History.of_new(conversation, revision=revision)
        if revision is not None:  # else it was stored before, and that answer was lost
            self._histories.keep(history)
        return history

    async def _append(
        self, history: History, placement: Placement, commit: Commit
    ) -> tuple[History, Sequence[Message]]:
        keep, messages = placement.keep, _in_order(placement.messages, after=history.updated_at)
        placed = messages if keep is None else history.placed(messages, keep=keep)
        if not placed:
            await (commit(None) if placement.tells_of_turn else commit(None, is_kept=True))
            return history, placed
        head = history.path[-1].id if placement.is_aside else None
        parent_id = history.path[keep - 1].id if keep else None
        added: list[tuple[Page, bool]] = []
        may_follow = placement.may_follow and "parent_id" not in placed[0].model_fields_set
        on_added = (lambda page, is_added: added.append((page, is_added))) if may_follow else None
        write = NewMessages(placed, history.total, placed[-1].timestamp, head, history.revision, on_added)
        with changing(placement.kind):
            revision = await (commit(write) if placement.tells_of_turn else commit(write, is_kept=True))
        if added or (may_follow and revision is None):
            history = await self._with_added(history, added)
            if history.last_id == placed[-1].id:  # it was read with them
                return history, placed
            keep = len(history.path)
        elif parent_id is not None:  # older ones may have been loaded meanwhile, for a turn that waits
            keep = 1 + (history.position_of(parent_id) or 0)
        is_followed = not placement.is_aside and keep is not None
        if is_followed:
            history.add(placed, keep=keep or 0)
        history.revision = revision
        if is_followed and revision is not None:
            self._histories.keep(history)
        else:
            self._histories.forget(history.id)
        return history, placed

    async def _with_added(self, history: History, added: Sequence[tuple[Page, bool]]) -> History:
        """Return a history with what others have added before messages that were stored just now."""
        if added:
            page, is_added = added[-1]
            return await self._histories.changed(history, page, is_added=is_added)
        self._histories.forget(history.id)  # they were stored before, and the answer was lost
        return await self._histories.get(history.id)


def _in_order(messages: Sequence[Message], *, after: datetime) -> Sequence[Message]:
    """Return messages none of which is earlier than what stands before it: a clock may have been set back."""
    if len(messages) == 1 and messages[0].timestamp >= after:
        return messages
    ordered = []
    for message in messages:
        after = max(after, message.timestamp)
        ordered.append(message if message.timestamp == after else message.model_copy(update={"timestamp": after}))
    return ordered
