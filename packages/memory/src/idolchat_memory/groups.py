"""Memory of conversations with several characters: one scope for all of them, which each of them recalls from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from uuid import UUID

from idolchat_core import Conversation, ConversationSummary, MemoryIndex, MemoryScope

__all__ = ["GroupScopes", "members_of", "scope_of"]

MAX_SCOPES = 64
"""Of a user, those last used, among which groups are looked for."""
MAX_USERS = 4096
KNOWN_S = 30.0
"""How long a group that another process has begun may stay unknown."""
_AND = "+"


def scope_of(conversation: Conversation | ConversationSummary) -> MemoryScope:
    """Name the scope that a conversation belongs to: its user's and character's, or that of all who take part."""
    ids = {str(one) for one in conversation.character_ids or () if isinstance(one, UUID)}
    character_id = _AND.join(sorted(ids)) if len(ids) > 1 else conversation.character_id
    return MemoryScope.model_validate({"user_id": conversation.user_id, "character_id": character_id})


def members_of(scope: MemoryScope) -> Sequence[str]:
    """List who takes part in the conversations of a scope; nobody where it is that of one character."""
    ids = (scope.character_id or "").split(_AND)
    return ids if len(ids) > 1 and all(map(_is_uuid, ids)) else ()


class GroupScopes:
    """Which groups a character takes part in with a user; asked once in a while, not at every turn."""

    def __init__(self, index: MemoryIndex) -> None:
        self._index = index
        self._known: OrderedDict[str | None, tuple[float, Sequence[MemoryScope]]] = OrderedDict()

    async def of(self, scope: MemoryScope) -> Sequence[MemoryScope]:
        """List the scopes of groups with this user and character. Raises ``StorageUnavailable``."""
        asked_at, groups = self._known.get(scope.user_id, (-KNOWN_S, ()))
        if monotonic() - asked_at > KNOWN_S:
            scopes = await self._index.scopes_of(scope.user_id, limit=MAX_SCOPES)
            groups = [one for one in scopes if members_of(one)]
            self._known[scope.user_id] = (monotonic(), groups)
            if len(self._known) > MAX_USERS:
                self._known.popitem(last=False)
        return [one for one in groups if scope.character_id in members_of(one)]

    def changed(self, scope: MemoryScope) -> None:
        """Ask again where a group may be new."""
        if members_of(scope):
            self._known.pop(scope.user_id, None)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
