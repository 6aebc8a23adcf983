"""The contract of what plugins hold about users beside conversations, to be exported and erased with the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import NamedTuple

__all__ = ["UserData", "UserFile"]


class UserFile(NamedTuple):
    """A file of an export; ``name`` is a relative path such as ``notes/7.json``."""

    name: str
    data: bytes


class UserData(ABC):
    """What a plugin holds about users outside of the storage that the server uses.

    A factory registered in ``idolchat_register_user_data`` takes the open storage and returns an async context manager
    that gives one of these. ``idol users export`` and ``idol users erase`` call every one, also while a server runs.
    """

    @abstractmethod
    def export(self, user_id: str) -> AsyncGenerator[UserFile]:
        """Yield everything that is held about a user; nothing for a user who is unknown."""

    @abstractmethod
    async def erase(self, user_id: str) -> int:
        """Erase everything that is held about a user, durably, and return how many things that were.

        What was derived from conversations is erased too: they are deleted before this is called.
        """
