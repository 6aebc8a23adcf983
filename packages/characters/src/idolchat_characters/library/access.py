"""Who may see, use and change a character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from idolchat_characters.character import Visibility
from idolchat_core import StoredId

__all__ = ["OPERATOR", "Viewer"]


class _Owned(Protocol):
    @property
    def owner_id(self) -> UUID | None: ...

    @property
    def visibility(self) -> Visibility: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks for characters.

    ``user_id`` is the user who asks, or for whom is asked. One who is not ``is_bound`` acts for any user, and
    ``is_operator`` may publish.
    """

    user_id: UUID | None = None
    is_bound: bool = True
    is_operator: bool = False

    @classmethod
    def of(cls, user_id: StoredId | None) -> Viewer:
        """Return the viewer whose conversation it is; one without a user may be with any character."""
        return cls(user_id=user_id if isinstance(user_id, UUID) else None, is_bound=user_id is not None)

    def may_use(self, character: _Owned) -> bool:
        """Whether the character exists for this viewer, who knows its id."""
        return not self.is_bound or character.visibility != "private" or character.owner_id == self.user_id

    def may_change(self, character: _Owned) -> bool:
        """Whether the viewer may edit and delete a character; everybody's has one owner, or operators alone."""
        if self.is_operator:
            return True
        if not self.is_bound:
            return character.visibility != "public"
        return self.user_id is not None and character.owner_id == self.user_id

    def lists(self, character: _Owned) -> bool:
        """Whether the character stands in the viewer's lists, and its slug names it."""
        return not self.is_bound or character.visibility == "public" or character.owner_id == self.user_id


OPERATOR = Viewer(is_bound=False, is_operator=True)
"""Whoever works at the machine itself."""
