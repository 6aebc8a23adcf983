"""The character knows how long the user was away."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import ClassVar

from idolchat_core import PromptPart, PromptSource, PromptTurn, ServiceRegistry, Services, Slot, Storage, hookimpl

LONG = timedelta(days=1)


class Absence(PromptSource):
    """Says so where more than a day lies between the user's newest message and what was said before."""

    name: ClassVar[str] = "absence"
    max_share: ClassVar[float] = 0.01  # of the window; reserved whole, so that the history does not move

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Give one part, or none."""
        page = await self._storage.read_page(turn.conversation_id, limit=2)
        if len(page.conversation.messages) < 2:
            return ()
        before, newest = page.conversation.messages
        away = newest.timestamp - before.timestamp
        if away < LONG:
            return ()
        part = PromptPart(
            source=self.name,
            key="away",
            content=f"It is {away.days} days since the user was here. Greet them accordingly.",
            slot=Slot.TAIL,
            stability="turn",  # it varies, so it stands behind the history
            priority=1,  # the lowest is left out first where there is no room
            why={"away_days": away.days},  # for GET /turns/{turn_id}/prompt
        )
        return (part,)


@asynccontextmanager
async def open_absence(services: Services) -> AsyncGenerator[PromptSource]:
    """Open the source over the chosen storage."""
    yield Absence(services.storage)


@hookimpl
def idolchat_register_prompt_sources(registry: ServiceRegistry[PromptSource]) -> None:
    registry.add("absence", open_absence)
