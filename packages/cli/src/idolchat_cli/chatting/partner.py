"""Who answers in `idol chat`: the server that runs on the data folder, or else an engine of this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol
from uuid import UUID

from idolchat_cli.chatting.remote import RemoteTurns
from idolchat_cli.in_use import OPENROUTER_HINT, model_in_use
from idolchat_cli.render import on_stderr
from idolchat_core.conversations.beginning import begin
from idolchat_core.conversations.branches import choose_head
from idolchat_core.errors import ConversationNotFound, InvalidRequest
from idolchat_core.events.events import Event
from idolchat_core.models import Conversation, Message, StoredId, new_id, utc_now
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.service import Service, open_service
from idolchat_core.settings import CoreSettings, read_settings
from idolchat_core.storage.server_address import ServerAddress, running_server
from idolchat_core.turns.request import TurnOptions, TurnRequest

__all__ = ["FollowedTurn", "Partner", "Turns", "open_partner"]


class FollowedTurn(Protocol):
    """A turn that has begun."""

    conversation_id: UUID
    turn_id: UUID
    user_message_id: StoredId

    def follow(self) -> AsyncGenerator[tuple[int, Sequence[Event]]]:
        """Yield its events in batches, each with the number of its first."""


class Turns(Protocol):
    """What a talk asks for, of an engine or of a server."""

    def start(self, request: TurnRequest) -> Awaitable[FollowedTurn]:
        """Begin a turn."""

    def retry(self, turn_id: UUID) -> Awaitable[FollowedTurn]:
        """Answer a turn's message once more."""

    def regenerate(self, conversation_id: UUID, options: TurnOptions) -> Awaitable[FollowedTurn]:
        """Answer the last message once more."""

    def edit(self, message_id: StoredId, request: TurnRequest) -> Awaitable[FollowedTurn]:
        """Put another message where one is, on a branch of its own, and answer it."""

    def cancel(self, turn_id: UUID) -> Awaitable[object]:
        """Stop a turn."""


class Partner(Protocol):
    """Who answers."""

    @property
    def turns(self) -> Turns:
        """Its turns."""

    def introduction(self, model: str | None) -> Sequence[str]:
        """Return lines that introduce it."""

    async def last_messages(self, conversation_id: UUID, *, limit: int) -> Sequence[Message]:
        """Read the end of a conversation, oldest first. Raises ``ConversationNotFound``."""

    async def begin(self, character: str, user_id: UUID | None) -> Conversation:
        """Begin a conversation with a character, an id or a slug; its messages are greetings to choose from.

        Raises ``InvalidRequest`` where there is no such character.
        """

    async def choose_head(self, conversation_id: UUID, message_id: StoredId) -> None:
        """Choose the message that the conversation continues from."""

    async def stop(self) -> None:
        """Stop what runs, and keep what was said."""


class OwnEngine:
    """An engine of this process."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.turns: Turns = service.turns

    def introduction(self, model: str | None) -> Sequence[str]:
        """Name model and storage."""
        first = f"{model_in_use(self._service, model)}, kept in storage {self._service.storage_name}."
        return (first, OPENROUTER_HINT) if self._service.llm_name == "local" else (first,)

    async def last_messages(self, conversation_id: UUID, *, limit: int) -> Sequence[Message]:
        """Read from the storage."""
        try:
            page = await self._service.storage.read_page(conversation_id, limit=limit)
        except ConversationNotFound:
            raise ConversationNotFound(
                f"no conversation {conversation_id} in storage {self._service.storage_name};"
                " leave --conversation out to begin a new one"
            ) from None
        return page.conversation.messages

    async def begin(self, character: str, user_id: UUID | None) -> Conversation:
        """Store it."""
        service, reference = self._service, _id_or_slug(character)
        entry = await service.characters.find(reference, user_id)
        if entry is None and isinstance(reference, str):
            raise InvalidRequest(f"no character {character!r}", param="character")
        now = utc_now()
        character_id = entry.id if entry else reference
        new = Conversation(id=new_id(), created_at=now, user_id=user_id, character_id=character_id, updated_at=now)
        begun, _ = await begin(service.storage, service.characters, new, entry)
        return begun

    async def choose_head(self, conversation_id: UUID, message_id: StoredId) -> None:
        """Set it in the storage."""
        await choose_head(self._service.turns, self._service.storage, conversation_id, message_id)

    async def stop(self) -> None:
        """Drain the engine."""
        await self._service.turns.drain(grace_s=0)


class RunningServer:
    """The server on the same data; turns that are left are stopped as they are left."""

    def __init__(self, server: ServerAddress) -> None:
        self._server = server
        self._remote = RemoteTurns(server)
        self.turns: Turns = self._remote

    def introduction(self, model: str | None) -> Sequence[str]:
        """Name the server."""
        return (f"{model or 'The model'} of the server at {self._server.url}, which runs on this data.",)

    async def last_messages(self, conversation_id: UUID, *, limit: int) -> Sequence[Message]:
        """Ask the server."""
        return await self._remote.last_messages(conversation_id, limit=limit)

    async def begin(self, character: str, user_id: UUID | None) -> Conversation:
        return await self._remote.begin(character, user_id)

    async def choose_head(self, conversation_id: UUID, message_id: StoredId) -> None:
        await self._remote.choose_head(conversation_id, message_id)

    async def stop(self) -> None:
        """Leave the server running."""


def _id_or_slug(reference: str) -> UUID | str:
    try:
        return UUID(reference)
    except ValueError:
        return reference


def open_partner() -> AbstractAsyncContextManager[Partner]:
    """Find who answers. Raises ``ConfigurationError``, and what an engine raises that cannot open."""
    return _opened(read_settings(CoreSettings))


@asynccontextmanager
async def _opened(settings: CoreSettings) -> AsyncGenerator[Partner]:
    server = running_server(settings.data_dir)
    if server is not None:
        yield RunningServer(server)
        return
    plugins = load_plugins(only=settings.plugins)
    async with AsyncExitStack() as stack:
        with on_stderr().status("Opening the conversations and the model"):
            service = await stack.enter_async_context(open_service(settings, plugins))
        yield OwnEngine(service)
