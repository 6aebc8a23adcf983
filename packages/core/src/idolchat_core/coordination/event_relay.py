"""Turns that another process runs, followed over the bus as if they ran here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from uuid import UUID

from idolchat_core.coordination.contract import Bus, Occupant, TurnStore
from idolchat_core.coordination.event_feeds import LEASE_S, EventFeeds
from idolchat_core.coordination.messages import (
    CarriedDelta,
    Deltas,
    Follow,
    Gone,
    Leave,
    Texts,
    Told,
    read_message,
    write,
)
from idolchat_core.errors import StorageError, StorageUnavailable
from idolchat_core.events.events import Event, TurnEnded, TurnStarted, TurnState
from idolchat_core.events.live_turn import EventLog, LiveTurn
from idolchat_core.events.turn_copy import TurnCopy
from idolchat_core.llm.contract import Delta

__all__ = ["EventRelay", "copy_of"]

log = logging.getLogger(__name__)

ASK_AGAIN_AFTER_S = 0.1
"""How long what was asked for may be on its way before it is asked for again."""
RENEW_EVERY_S = 1.0
"""How often a reader that hears nothing asks for what may be lost; one that hears renews its lease."""
ASK_STORE_AFTER_S = 3.0
"""After so long a silence, the store is asked whether the turn still runs."""
GIVE_UP_AFTER_S = 60.0
"""How long the end of a turn that no longer runs is looked for in its conversation."""
ASKS_FOR_END = 20
"""How often the process of a turn whose end is stored is asked for what it has not told, before the store is taken."""
OPEN_EVERY_S, OPENS_WITHIN_S = 0.25, 5.0
"""How often the beginning is asked for, and for how long."""
LOOK_EVERY_S = 0.1
"""How often it is looked which turns are to be seen to: one timer for all, and not one for each."""


class EventRelay:
    """Sends the events of turns of this process to readers in others, and receives those of others.

    ``find_here`` gives a turn of this process whose events are kept, and ``find_end`` how a stored turn ended.
    """

    def __init__(
        self,
        bus: Bus,
        turns: TurnStore,
        *,
        find_here: Callable[[UUID], LiveTurn | None],
        find_end: Callable[[Occupant], Awaitable[TurnEnded | None]],
    ) -> None:
        self.bus = bus
        self.turns = turns
        self.find_end = find_end
        self._feeds = EventFeeds(bus, find_here=find_here)
        self._followed: dict[UUID, _Followed] = {}
        self._by_number: dict[int, _Followed] = {}
        self._numbers = count(1)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def readers(self) -> int:
        """Count the readers in other processes of turns of this one."""
        return len(self._feeds)

    @property
    def followed(self) -> int:
        """Count the turns of other processes that are followed here."""
        return len(self._followed)

    async def follow(self, turn: Occupant) -> LiveTurn | None:
        """Return a turn that is filled with what another process tells of it; None where that has it no more.

        Raises ``StorageUnavailable`` where that process does not answer.
        """
        followed = self._followed.get(turn.turn_id)
        if followed is None:
            followed = _Followed(self, turn, next(self._numbers))
            self._followed[turn.turn_id] = self._by_number[followed.number] = followed
            followed.ask(again=True)
            if self._timer is None:
                self._look()
        try:
            async with asyncio.timeout(OPENS_WITHIN_S):
                live = await asyncio.shield(followed.opened)
        except TimeoutError:
            self.forget(turn.turn_id)
            raise StorageUnavailable(
                f"turn {turn.turn_id} runs in another process, which does not answer; ask again in a moment"
            ) from None
        if live is not None:
            live.expect_reader()
        return live

    def take(self, message: Follow | Leave | Told | Gone | Deltas | Texts) -> None:
        """Act on a message of another process."""
        if isinstance(message, Texts):
            self._take_texts(message)
        elif isinstance(message, Deltas):
            self._take_deltas(message)
        elif isinstance(message, Follow):
            self._feeds.follow(message)
        elif isinstance(message, Leave):
            self._feeds.leave(message)
        elif (followed := self._followed.get(message.turn_id)) is not None:
            if isinstance(message, Told):
                followed.take(message)
            else:
                followed.lose()

    def _take_texts(self, message: Texts) -> None:
        now = asyncio.get_running_loop().time()
        by_number, texts, begin = self._by_number, message.texts, 0
        for number, first, length in zip(message.numbers, message.firsts, message.counts, strict=True):
            end = begin + length
            said = texts[begin:end] if length > 1 else [texts[begin]]  # which most are, and is done in half the steps
            begin = end
            followed = by_number.get(number)
            if followed is None:
                continue
            if first == followed.expects:
                followed.expects = first + length
                followed.heard_at = now
                followed.log.append(said)
            else:
                followed.take_deltas(first, said, now)

    def _take_deltas(self, message: Deltas) -> None:
        now = asyncio.get_running_loop().time()
        for number, first, deltas in message.entries:
            if (followed := self._by_number.get(number)) is not None:
                followed.take_deltas(first, deltas, now)

    def forget(self, turn_id: UUID) -> None:
        """Follow a turn no more."""
        followed = self._followed.pop(turn_id, None)
        if followed is not None:
            del self._by_number[followed.number]
            followed.close()

    def _look(self) -> None:
        """See to the turns that it is time for, and do so again in a moment while any is followed."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for followed in list(self._followed.values()):
            if followed.look_at <= now:
                followed.look(now)
        self._timer = loop.call_later(LOOK_EVERY_S, self._look) if self._followed else None

    async def close(self) -> None:
        """Follow nothing more, and send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        for turn_id in list(self._followed):
            self.forget(turn_id)
        self._feeds.close()
        await asyncio.sleep(0)  # what was cancelled ends


def opened_by(message: Told, *, on_last_reader_gone: Callable[[], None]) -> TurnCopy | None:
    """Begin a copy of a turn by what is told of its first event, without its events; None where that is not told."""
    started, opening = message.events[0] if message.opening is not None else None, message.opening
    if not isinstance(started, TurnStarted) or opening is None:
        return None
    return TurnCopy(
        started,
        user_id=opening.user_id,
        fingerprint=opening.fingerprint,
        continued_text=opening.continued_text,
        on_last_reader_gone=on_last_reader_gone,
    )


def copy_of(told: bytes) -> LiveTurn | None:
    """Make a copy of a turn that is over of all that was told of it; None where that cannot be read."""
    message = read_message(told)
    if not isinstance(message, Told):
        return None
    live = opened_by(message, on_last_reader_gone=lambda: None)
    if live is not None:
        live.copy(message.events, state=message.state)
    return live


class _Followed:
    """A turn of another process, filled with what that tells of it; one copy for all its readers here."""

    __slots__ = (
        "_asked_at",
        "_is_lost",
        "_live",
        "_relay",
        "_seeing",
        "_turn",
        "expects",
        "heard_at",
        "log",
        "look_at",
        "number",
        "opened",
    )

    log: EventLog

    def __init__(self, relay: EventRelay, turn: Occupant, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self._relay = relay
        self._turn = turn
        self._live: TurnCopy | None = None
        self.expects = -1
        """The ``seq`` of the next event for ``log``; -1 where it is not known to run."""
        self._asked_at = self.heard_at = loop.time()
        self._is_lost = False
        self.look_at = self.heard_at + OPEN_EVERY_S
        """When it is to be seen to again."""
        self.opened: asyncio.Future[LiveTurn | None] = loop.create_future()
        self._seeing: asyncio.Task[None] | None = None

    def take(self, message: Told) -> None:
        """Add events; those that are there are left out, and those that are missing asked for."""
        live = self._live or self._opened_by(message)
        if live is None or message.first > live.event_count:
            if asyncio.get_running_loop().time() - self._asked_at > ASK_AGAIN_AFTER_S:
                self.ask(again=True)
            return
        self.heard_at = asyncio.get_running_loop().time()
        live.copy(message.events[live.event_count - message.first :], state=message.state)
        if self.expects >= 0:
            self.expects = live.event_count
        if live.is_over:
            self._relay.forget(live.turn_id)

    def take_deltas(self, first: int, deltas: Sequence[CarriedDelta], now: float) -> None:
        """Add deltas, as ``take`` does events."""
        live = self._live
        if live is None or first > live.event_count:
            if now - self._asked_at > ASK_AGAIN_AFTER_S:
                self.ask(again=True)
            return
        self.heard_at = now
        new = [Delta(each) if isinstance(each, str) else Delta(*each) for each in deltas[live.event_count - first :]]
        live.copy(new, state=TurnState.RUNNING)
        self.log, self.expects = live.events, live.event_count

    def close(self) -> None:
        """Leave."""
        if self._seeing is not None:
            self._seeing.cancel()
        if not self.opened.done():
            self.opened.set_result(None)
        if self._live is None or not self._live.is_over:
            leave = Leave(turn_id=self._turn.turn_id, inbox=self._relay.bus.inbox)
            self._relay.bus.send(self._turn.inbox, write(leave))

    def _opened_by(self, message: Told) -> TurnCopy | None:
        live = opened_by(message, on_last_reader_gone=lambda: self._relay.forget(message.turn_id))
        if live is not None and not self.opened.done():
            self.opened.set_result(live)
        self._live = live
        return live

    def ask(self, *, again: bool) -> None:
        """Ask for its events, from those on that are there where some are lost (``again``), or to be told on."""
        self._asked_at = asyncio.get_running_loop().time()
        after = self._live.event_count - 1 if self._live is not None else -1
        turn, bus = self._turn, self._relay.bus
        asked = Follow(
            turn_id=turn.turn_id, inbox=bus.inbox, number=self.number, after=after, again=again, reads_texts=True
        )
        bus.send(turn.inbox, write(asked))

    def lose(self) -> None:
        """See to it now: its process has it no more, or not yet."""
        self._is_lost = True
        self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """Renew what was asked for, and see to the end of a turn whose process does not tell it."""
        if self._seeing is not None and not self._seeing.done():
            return
        self.look_at = now + (RENEW_EVERY_S if self._live is not None else OPEN_EVERY_S)
        if self._is_lost or now - self.heard_at > ASK_STORE_AFTER_S:
            self._seeing = asyncio.create_task(self._see(now - self.heard_at))
        else:
            self._renew(now - self.heard_at)

    def _renew(self, silent_s: float) -> None:
        is_silent = self._live is None or silent_s > RENEW_EVERY_S / 2
        if is_silent or asyncio.get_running_loop().time() - self._asked_at > LEASE_S / 4:
            self.ask(again=is_silent)

    async def _see(self, silent_s: float) -> None:
        """End it where it is over, else ask for it."""
        if await self._is_over(gives_up=silent_s > GIVE_UP_AFTER_S):
            return
        self._renew(silent_s)
        if self._is_lost:
            self.look_at = asyncio.get_running_loop().time()

    async def _is_over(self, *, gives_up: bool) -> bool:
        """End the turn by what is stored of it, where it does not run any more."""
        try:
            if await self._relay.turns.find(self._turn.turn_id) is not None:
                self._is_lost = False
                await asyncio.sleep(ASK_AGAIN_AFTER_S)  # it is there, and has not begun
                return False
            ended = await self._relay.find_end(self._turn)
        except StorageError as error:
            log.warning("it cannot be told whether a turn of another process has ended", extra={"code": error.code})
            return False
        if ended is None and not gives_up:
            await asyncio.sleep(RENEW_EVERY_S)  # whoever takes it over has not stored it yet
            return False
        if self._live is not None and await self._hears_more():
            return False
        if self._live is not None and not self._live.is_over:
            self._live.copy(_rest(self._live, ended or TurnEnded(state=TurnState.INTERRUPTED)))
        self._relay.forget(self._turn.turn_id)
        return True

    async def _hears_more(self) -> bool:
        """Ask for what is missing of a turn that is over: its process may well be there, and what it told lost."""
        heard_at = self.heard_at
        for _ in range(ASKS_FOR_END):
            if self._is_lost:
                break
            self.ask(again=True)
            await asyncio.sleep(ASK_AGAIN_AFTER_S)
            if self.heard_at != heard_at:
                return True
        return False


def _rest(live: LiveTurn, ended: TurnEnded) -> list[Event]:
    """Return what readers of a copy lack to have all of the stored reply: text that nobody told them, and the end."""
    stored, told = ended.message.content if ended.message else None, live.content
    if isinstance(stored, str) and stored.startswith(told) and stored != told:
        return [Delta(stored[len(told) :]), ended]
    return [ended]
