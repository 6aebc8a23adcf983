"""Processes that serve one database, each with connections of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from idolchat_core import Bus, Coordination, new_id
from idolchat_core.testing import until_so
from idolchat_storage_postgres.coordination.member import Member, Timing
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import PostgresStorage, open_postgres_storage

__all__ = ["HEIR", "OpenProcess", "Process", "a_process"]

PATIENT = Timing(beat_s=0.05, answer_s=10.0, again_s=0.02, doubt_s=40.0, dead_s=60.0)
"""Of a process that a busy machine may stop for a while, and which is alive all the same."""
HEIR = Timing(beat_s=0.05, answer_s=10.0, again_s=0.02, doubt_s=40.0, dead_s=0.5)
"""Of one that takes those for dead which fall silent, in a sixth of the real time."""


class NoBus(Bus):
    """Loses everything, as a bus may."""

    def __init__(self) -> None:
        self.inbox = new_id().hex

    def send(self, inbox: str, message: bytes) -> None:
        """Lose it."""

    def receive(self, take: Callable[[bytes], None]) -> AbstractAsyncContextManager[None]:
        return nullcontext()


@dataclass(frozen=True)
class Process:
    """One that serves the database."""

    storage: PostgresStorage
    coordination: Coordination

    @property
    def member(self) -> Member:
        """Its heartbeat."""
        member = self.coordination.membership
        assert isinstance(member, Member)
        return member

    async def falls_silent(self) -> None:
        """Stop beating, as one that was killed or stopped."""
        await self.member.pause()

    async def may_judge(self) -> None:
        """Wait until it may take others for dead that were silent all the time."""
        await until_so("a process that may judge", lambda: self.member.may_judge)


type OpenProcess = Callable[..., Awaitable[Process]]


@asynccontextmanager
async def a_process(url: str, *, timing: Timing = PATIENT) -> AsyncGenerator[Process]:
    """Serve a database, with a bus that loses everything: it only hastens."""
    settings = PostgresSettings.model_validate({"url": url})
    async with (
        open_postgres_storage(settings) as storage,
        storage.open_coordination(NoBus(), timing=timing) as coordination,
    ):
        yield Process(storage, coordination)
