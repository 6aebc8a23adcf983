"""One mirror of a storage that several processes share: the one that is chosen copies what all of them change."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from idolchat_core.background_tasks import BackgroundTasks
from idolchat_core.coordination.contract import CHOSEN_S, SharedStorage
from idolchat_core.coordination.process import process_address
from idolchat_core.errors import StorageConflict, StorageError
from idolchat_core.mirror.connection import MirrorConnection
from idolchat_core.mirror.consumer import MirrorMode
from idolchat_core.mirror.mirror import Mirror
from idolchat_core.mirror.outbox import Note, Outbox, Subject
from idolchat_core.mirror.scanner import ChangeScanner
from idolchat_core.mirror.shared_outbox import SharedOutbox
from idolchat_core.mirror.shared_scanner import SharedScanner
from idolchat_core.mirror.status import MirrorState
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.contract import Storage

__all__ = ["SharedMirror"]

log = logging.getLogger(__name__)

ASK_EVERY_S = 1.0
POLL_S = 0.1
_STATE = "state"
_STATES = TypeAdapter(MirrorState)


class _NotChosen(Exception):
    """Another process copies now."""


class _Lease:
    """Until when this process may copy, by a clock that goes on while it stands still."""

    def __init__(self) -> None:
        self.ends_at = 0.0

    @property
    def is_sure(self) -> bool:
        return time.monotonic() < self.ends_at


class _Connection(MirrorConnection):
    """The mirror's storage, for as long as this process is chosen."""

    def __init__(self, connection: MirrorConnection, lease: _Lease) -> None:
        self.name = connection.name
        self._open = connection
        self._lease = lease

    def get(self) -> Storage:
        if not self._lease.is_sure:
            raise StorageConflict(f"another process may be copying to the mirror {self.name} now")
        return self._open.get()

    async def opened(self, *, within_s: float) -> None:
        await self._open.opened(within_s=within_s)


class _Copying(Mirror):
    """The copying of this process, from when it is chosen until it is not: it knows nothing from before."""

    outbox: SharedOutbox

    def _new_outbox(self, primary: Storage, namespace: str) -> Outbox:
        return _shared_outbox(primary, namespace)

    def _new_scanner(self) -> ChangeScanner:
        self._shared_scanner = SharedScanner(self._worker, self._queue, outbox=self.outbox, tuning=self._tuning)
        return self._shared_scanner

    async def note_reached(self) -> None:
        """Record how far the mirror has come. Raises ``StorageUnavailable``."""
        await self._shared_scanner.advance()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Copy while it is open; an end without an error waits some seconds for what is pending."""
        await self.inventory.read()
        async with self._working():
            yield


class SharedMirror(Mirror):
    """What each of the processes has of a mirror: all may restore from it and see how far it is, and one copies.

    What is to be copied is known from the storage, so that whoever is chosen next goes on where another has stopped.
    Commands that are to copy what they change do so where no server is chosen.
    """

    outbox: SharedOutbox

    def __init__(
        self,
        primary: SharedStorage,
        name: str,
        factory: Factory[Storage],
        *,
        records: Collection[str],
        mode: MirrorMode,
        tuning: MirrorTuning,
    ) -> None:
        super().__init__(primary, name, factory, records=records, mode=MirrorMode.RECORD, tuning=tuning)
        self._shared = primary
        self._does_copy = mode is not MirrorMode.RECORD
        self._records = records
        self._factory = factory
        self._copying: _Copying | None = None
        self._published: MirrorState | None = None
        self._stopping = asyncio.Event()
        self._lease = _Lease()

    def _new_outbox(self, primary: Storage, namespace: str) -> Outbox:
        return _shared_outbox(primary, namespace)

    @property
    def state(self) -> MirrorState:
        """How far it is behind, as the process that copies has told it last."""
        if self._copying is not None:
            return self._told(self._copying)
        return self._published or replace(super().state, copied_by="")

    @property
    def failing(self) -> Mapping[str, str]:
        """The background tasks that do not do their work now, each with what is wrong."""
        return {**super().failing, **(self._copying.failing if self._copying is not None else {})}

    async def note(self, conversation_id: object, *, history: datetime | str | None, kind: ChangeKind) -> Note | None:
        """Record nothing: the storage does."""
        return None

    async def note_time(self, conversation_id: object, changed_at: datetime, *, kind: ChangeKind) -> Note | None:
        """Record nothing: the storage does."""
        return None

    async def settle(self, subject: Subject, note: Note) -> None:
        """Leave the note of a record to the process that copies."""
        await self.outbox.hand_over(subject, note)

    def changed(self, subject: Subject, changed_at: datetime | None, **facts: object) -> None:
        """Leave it to the process that copies, which finds it."""

    def report(self, error: StorageError) -> None:
        """Record that a request could not reach the mirror."""
        if self._copying is not None:
            self._copying.report(error)

    async def has_copied(self) -> None:
        """Wait until the mirror has all that is changed now."""
        waits = await self.outbox.left()
        while waits:
            await asyncio.sleep(POLL_S)
            waits &= await self.outbox.left()

    async def read_state(self) -> MirrorState:
        """Return what the process that copies has told last; it may have ended. Raises ``StorageUnavailable``."""
        value = await self._shared.get_record(f"mirror.{self.name}", _STATE)
        with suppress(ValidationError):  # of another version
            self._published = _STATES.validate_json(value) if value is not None else None
        return self.state

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Copy whenever this process is chosen, while it is open.

        Raises ``ConfigurationError``, and ``StorageUnavailable`` of the primary.
        """
        await self.inventory.read()
        await self.read_state()
        async with self.connection.held_open(at_once=self._does_copy):
            if not self._does_copy:
                yield
                return
            tasks, campaign = BackgroundTasks(), asyncio.Event()
            tasks.start(f"{self.name}: copy when chosen", lambda: self._campaign(campaign))
            try:
                yield
                self._stopping.set()
                await campaign.wait()
            finally:
                await tasks.close()

    async def _campaign(self, is_over: asyncio.Event) -> None:
        has_tried = False
        while not (self._stopping.is_set() and has_tried):
            try:
                if await self._is_chosen():
                    await self._copy_while_chosen()
                else:
                    await self._look_on()
            except _NotChosen:
                log.info("another process copies to a mirror now", extra={"mirror": self.name})
            except StorageError as error:
                log.info(
                    "it cannot be told now who copies to a mirror", extra={"mirror": self.name, "code": error.code}
                )
            has_tried = self._stopping.is_set()
            await self._pause()
        is_over.set()

    async def _is_chosen(self) -> bool:
        asked_at = time.monotonic()
        is_chosen = await self._shared.is_chosen(f"mirror {self.name}")
        self._lease.ends_at = asked_at + CHOSEN_S if is_chosen else 0.0
        return is_chosen

    async def _copy_while_chosen(self) -> None:
        log.info("this process copies to a mirror", extra={"mirror": self.name})
        copying = _Copying(
            self._shared,
            self.name,
            self._factory,
            records=self._records,
            mode=MirrorMode.REPLICATE,
            tuning=self._tuning,
            connection=_Connection(self.connection, self._lease),
        )
        is_lost = asyncio.Event()
        holding = asyncio.create_task(self._stay_chosen(is_lost))
        try:
            async with copying.running():
                self._copying, self.inventory = copying, copying.inventory
                while not self._stopping.is_set():
                    await self._publish(copying)
                    await self._pause()
                    if is_lost.is_set():
                        raise _NotChosen
                await copying.look()
            await copying.note_reached()
            await self._publish(copying)
        finally:
            self._copying = None
            holding.cancel()
            await asyncio.wait({holding})

    async def _stay_chosen(self, is_lost: asyncio.Event) -> None:
        is_chosen = True
        while is_chosen:
            await asyncio.sleep(ASK_EVERY_S)
            is_chosen = await self._still_chosen()
        is_lost.set()

    async def _still_chosen(self) -> bool:
        """Ask again; where there is no answer, for as long as it is sure."""
        try:
            return await self._is_chosen()
        except StorageError:
            return self._lease.is_sure

    async def _publish(self, copying: _Copying) -> None:
        """Tell the other processes how far the mirror is."""
        state = self._told(copying)
        if state != self._published:
            with suppress(StorageError):  # it is told a second later
                await self._shared.put_record(f"mirror.{self.name}", _STATE, _STATES.dump_json(state), durable=False)
                self._published = state

    def _told(self, copying: _Copying) -> MirrorState:
        return replace(copying.state, copied_by=process_address())

    async def _look_on(self) -> None:
        """Learn what the process that copies has told."""
        await self.read_state()
        await self.inventory.read()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(ASK_EVERY_S, self._tuning.look_every_s)):
                await self._stopping.wait()


def _shared_outbox(primary: Storage, namespace: str) -> SharedOutbox:
    if not isinstance(primary, SharedStorage):
        raise TypeError(f"{primary!r} is shared by nobody")
    return SharedOutbox(primary, namespace)
