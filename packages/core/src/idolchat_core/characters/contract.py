"""The contract of character directories: plugins that know characters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from idolchat_core.models import Conversation, StoredId

__all__ = ["CharacterDirectory", "DirectoryEntry", "DirectoryPage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """A character, in a directory.

    ``model`` and ``options`` (fields of a chat completions request, as in ``CompletionRequest``) are for turns whose
    request names none; of a character who is not ``by_operator``, because others than operators may change her, only
    what the caller could name. ``description`` is short and for people, ``avatar`` the path of a picture on this
    server. ``talkativeness``, from 0 to 1, is her weight where it is drawn who speaks. ``directory`` is the name that
    the directory is registered under, which core fills in.
    """

    id: UUID
    name: str
    created_at: datetime
    slug: str | None = None
    description: str = ""
    avatar: str | None = None
    model: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    by_operator: bool = True
    talkativeness: float = 0.5
    directory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPage:
    """Characters, newest first; ``next`` is the ``after`` of the following page, None at the end."""

    data: Sequence[DirectoryEntry]
    next: str | None = None


class CharacterDirectory(ABC):
    """Knows characters, and who may use them.

    A factory registered in ``idolchat_register_character_directories`` takes the open ``Services`` and returns an async
    context manager that gives one of these. ``user_id`` is the user who is going to talk with the character, or for
    whom is asked; None is an operator, or anybody on a server without users. What is wrong with its storage is raised
    as ``StorageUnavailable``.
    """

    @abstractmethod
    async def find(self, reference: UUID | str, user_id: StoredId | None) -> DirectoryEntry | None:
        """Find a character by her id, or by her slug, which is no UUID; None for one that this user may not use."""

    @abstractmethod
    async def page(self, user_id: StoredId | None, *, limit: int, after: str | None = None) -> DirectoryPage:
        """List the characters that stand in this user's lists, newest first; ``after`` is the page's before ``next``.

        Raises ``InvalidRequest`` for an ``after`` that this directory did not give.
        """

    async def openings(self, entry: DirectoryEntry, conversation: Conversation) -> Sequence[str]:
        """Return what a character may say first: her first message and then its alternates, ready to be shown.

        ``conversation`` is the new one, before its first message: its id, user, ``created_at``, ``persona_id``, and
        ``character_ids`` where there are several. The same conversation gets the same texts. By default none: she waits
        to be spoken to.
        """
        return ()

    async def may_play(self, persona_id: UUID, user_id: StoredId | None) -> bool:
        """Return whether a new conversation of this user may name a persona.

        By default any, as of a directory that knows nothing of personas.
        """
        return True
