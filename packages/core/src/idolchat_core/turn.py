"""One turn: read, prompt, stream, save."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID

from idolchat_core.events import Event, TurnStatus
from idolchat_core.llm import LLMProvider
from idolchat_core.request import TurnRequest
from idolchat_core.settings import CoreSettings
from idolchat_core.storage import Storage

__all__ = ["LiveTurn", "TurnEngine"]


class LiveTurn:
    """A turn that is queued or running, or whose events are still kept.

    Attributes for readers: ``turn_id``, ``conversation_id``, ``user_id``, ``status`` (a ``TurnStatus``, made when
    read), ``replayed`` (whether ``start`` found it rather than made it).
    """

    turn_id: UUID
    conversation_id: UUID
    user_id: UUID | str | None

    @property
    def status(self) -> TurnStatus: ...

    def follow(self, *, after: int = -1) -> AsyncGenerator[tuple[int, Sequence[Event]]]:
        """See ``EventLog.follow``: batches of ``(seq of the first, events)``; read inside ``aclosing``."""

    async def ended(self) -> "TurnEnded":
        """Wait for the end, as a reader."""


class TurnEngine:
    """Runs turns over one storage and one provider; an async context manager that drains when it closes."""

    def __init__(self, storage: Storage, llm: LLMProvider, *, settings: CoreSettings) -> None: ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def start(self, request: TurnRequest, *, idempotency_key: str | None = None) -> LiveTurn:
        """Begin a turn, or find the one that this key began. When it returns, the user's message is on disk.

        Raises ``ConversationNotFound``, ``ConversationMismatch``, ``ConversationBusy``, ``QueueFull``,
        ``IdempotencyMismatch``, ``ShuttingDown``, ``InvalidRequest`` and ``StorageError``.
        """

    async def find(self, turn_id: UUID) -> LiveTurn:
        """Find a turn whose events are kept. Raises ``TurnNotFound``, ``TurnExpired``."""

    async def status(self, turn_id: UUID) -> TurnStatus:
        """Tell how a turn stands, from its events or from its messages. Raises ``TurnNotFound``."""

    async def cancel(self, turn_id: UUID) -> TurnStatus:
        """Stop a turn, keep what was said, and tell how it stands; a finished one is left as it is. Raises ``TurnNotFound``."""

    async def retry(self, turn_id: UUID) -> LiveTurn:
        """Run a failed, incomplete, interrupted or cancelled turn again, for the same message, as a new turn.

        Raises ``TurnNotFound``, ``TurnNotRetryable``, ``ConversationBusy``.
        """

    async def drain(self, *, grace_s: float) -> None:
        """Take no new turns, wait for the running ones, then keep what they have said as ``incomplete``."""
