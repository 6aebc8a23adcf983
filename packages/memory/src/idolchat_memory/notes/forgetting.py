"""Forgetting: a note goes with the messages that it rests on alone."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from idolchat_core import Change, ChangeKind, ConversationDamaged, ConversationNotFound, Storage
from idolchat_memory.notes.note import Note
from idolchat_memory.notes.store import Notes, notes_of

__all__ = ["NoteFollower", "forget_sources"]

_ADDS = frozenset(
    {
        ChangeKind.STORED,
        ChangeKind.EDITED,
        ChangeKind.REGENERATED,
        ChangeKind.ROLLED_BACK,
        ChangeKind.HEAD_MOVED,
    }
)
"""Kinds of changes that take no message's text away."""


class NoteFollower:
    """Takes notes away when the messages go that they rest on alone."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._store = notes_of(storage)

    async def follow(self, change: Change) -> None:
        """Act on a change of a conversation. Raises ``StorageUnavailable``."""
        if change.revision is not None and _ADDS.issuperset(change.kinds):
            return
        scopes = await self._store.resting_on(change.conversation_id)
        if not scopes:
            return
        there = await _messages_of(self._storage, change.conversation_id)
        for scope in scopes:
            await self._store.change(scope, lambda notes: forget_sources(notes, change.conversation_id, there))
        if there is None:
            await self._store.citations.forget(change.conversation_id)

    async def rests_on(self, conversation_id: UUID) -> bool:
        """Return whether notes rest on a conversation."""
        return bool(await self._store.resting_on(conversation_id))

    async def known(self) -> Collection[UUID]:
        """List the conversations that notes rest on."""
        return await self._store.citations.conversations()


def forget_sources(notes: Notes, conversation_id: UUID, there: Collection[str] | None) -> Notes:
    """Return the notes that still rest on something, given the messages that a conversation has; None: it is gone.

    What a note that goes has superseded holds again.
    """
    left = [_left(note, conversation_id, there or ()) for note in notes]
    kept = [note for note in left if note is not None]
    ids = {note.id for note in kept}
    return tuple(
        [
            note if note.superseded_by is None or note.superseded_by in ids else _restored(note, notes, ids)
            for note in kept
        ]
    )


def _left(note: Note, conversation_id: UUID, there: Collection[str]) -> Note | None:
    sources = tuple([one for one in note.sources if one.conversation_id != conversation_id or one.message_id in there])
    if len(sources) == len(note.sources):
        return note
    return note.model_copy(update={"sources": sources}) if sources else None


def _restored(note: Note, notes: Notes, kept: Collection[UUID]) -> Note:
    """Return a note superseded by the next newer one that is left, or by none."""
    newer = {one.id: one.superseded_by for one in notes}
    by = note.superseded_by
    while by is not None and by not in kept:
        by = newer.get(by)
    return note.model_copy(update={"superseded_by": by})


async def _messages_of(storage: Storage, conversation_id: UUID) -> Collection[str] | None:
    """List the messages of a conversation that still have their text; None where it is gone."""
    try:
        conversation = await storage.read(conversation_id)
    except ConversationNotFound:
        return None
    if conversation.status == "damaged":
        raise ConversationDamaged(f"conversation {conversation_id} can be read only in part")
    return {str(message.id) for message in conversation.messages if message.deleted_at is None}
