"""Principals: who makes a request, and with which scopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from idolchat_api.errors import Forbidden

__all__ = ["ANYONE", "LOCAL", "NOBODY", "Principal", "Scope"]


class Scope(StrEnum):
    """What a caller may do.

    ``read`` is for everything that changes nothing, ``chat`` for that and for what a user of the chat does, ``admin``
    for all of it on anybody's conversations and for what looks after the server.
    """

    READ = "read"
    CHAT = "chat"
    ADMIN = "admin"


_IMPLIED = {Scope.READ: frozenset(Scope), Scope.CHAT: frozenset({Scope.CHAT, Scope.ADMIN}), Scope.ADMIN: {Scope.ADMIN}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller.

    ``subject`` names it in logs and ledgers, such as ``key:3q5...`` or ``user:0199...``. With ``user_id`` it is that
    user and touches what is theirs; without, it is a back end that acts for any user. ``is_trusted`` says that it may
    say what an operator may: any role, and every request field that is not refused to all.
    """

    subject: str
    scopes: frozenset[Scope]
    user_id: UUID | None = None
    expires_at: datetime | None = None
    is_trusted: bool = False

    def may(self, scope: Scope) -> bool:
        """Return whether it may do what requires this scope."""
        return not self.scopes.isdisjoint(_IMPLIED[scope])

    def require(self, scope: Scope) -> None:
        """Raise ``Forbidden`` unless it may do what requires this scope."""
        if not self.may(scope):
            raise Forbidden(f"this asks for the scope {scope}, which the token does not have")

    @property
    def is_operator(self) -> bool:
        """Whether it operates the server, and may see its configuration."""
        return self.is_trusted or Scope.ADMIN in self.scopes

    @property
    def is_bound(self) -> bool:
        """Whether it may access one user's conversations only."""
        return self.user_id is not None and Scope.ADMIN not in self.scopes


LOCAL = Principal(subject="local", scopes=frozenset(Scope), is_trusted=True)
"""Whoever reaches a server without a login on a loopback address: the machine's own user."""
ANYONE = Principal(subject="anyone", scopes=frozenset({Scope.READ, Scope.CHAT}))
"""Whoever reaches a server without a login that others can reach, too."""
NOBODY = Principal(subject="nobody", scopes=frozenset())
"""Who has not said yet who they are."""
