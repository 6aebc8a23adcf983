"""Memory of conversations with several characters: one scope for all of them, which each of them recalls from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from uuid import UUID

from idolchat_core import Conversation, ConversationSummary, MemoryIndex, MemoryScope

__all__ = ["KNOWN_S", "GroupScopes", "members_of", "scope_of"]

MAX_SCOPES = 64
"""Of a user, those last used, among which groups are looked for."""
MAX_USERS = 4096
KNOWN_S = 30.0
"""How long a group that another server has begun may stay unknown."""
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
    """Which groups a character takes part in with a user; asked every ``known_s`` seconds, not at every turn."""

    def __init__(self, index: MemoryIndex, *, known_s: float = KNOWN_S) -> None:
        self._index = index
        self._known_s = known_s
        self._known: OrderedDict[str | None, tuple[float, Sequence[MemoryScope]]] = OrderedDict()

    async def of(self, scope: MemoryScope) -> Sequence[MemoryScope]:
        """List the scopes of groups with this user and character. Raises ``StorageUnavailable``."""
        known = self._known.get(scope.user_id)
        if known is None or monotonic() - known[0] > self._known_s:
            scopes = await self._index.scopes_of(scope.user_id, limit=MAX_SCOPES)
            known = self._known[scope.user_id] = monotonic(), [one for one in scopes if members_of(one)]
            if len(self._known) > MAX_USERS:
                self._known.popitem(last=False)
        groups = known[1]
        return [one for one in groups if scope.character_id in members_of(one)] if groups else ()

    def changed(self, scope: MemoryScope) -> None:
        """Ask again where a group may be new."""
        if members_of(scope):
            self._known.pop(scope.user_id, None)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
