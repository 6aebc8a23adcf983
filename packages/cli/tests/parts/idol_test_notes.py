"""A plugin that keeps a file about each user, in a folder beside the conversations."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import nullcontext
from pathlib import Path

from idolchat_core import StorageRegistry, UserData, UserFile, hookimpl

NOTES = Path("notes")


class Notes(UserData):
    """The files; one that is a folder cannot be erased."""

    async def export(self, user_id: str) -> AsyncGenerator[UserFile]:
        """Yield the file of a user."""
        if (NOTES / user_id).is_file():
            yield UserFile("note.txt", (NOTES / user_id).read_bytes())

    async def erase(self, user_id: str) -> int:
        """Remove the file of a user."""
        if not (NOTES / user_id).exists():
            return 0
        (NOTES / user_id).unlink()
        return 1


@hookimpl
def idolchat_register_user_data(registry: StorageRegistry[UserData]) -> None:
    """Offer the notes."""
    registry.add("notes", lambda _: nullcontext(Notes()))
