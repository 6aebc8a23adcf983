"""The events of turns of this process on their way to readers in others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import cast
from uuid import UUID

from idolchat_core.coordination.contract import Bus
from idolchat_core.coordination.messages import (
    CarriedDelta,
    Follow,
    Gone,
    Leave,
    Texts,
    tell,
    write,
    write_deltas,
    write_texts,
)
from idolchat_core.events.events import Event, TurnEnded
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta

__all__ = ["LEASE_S", "EventFeeds"]

SEND_EVERY_S = 0.02
"""How often it is looked what turns have said."""
LEASE_S = 10.0
"""How long events are sent to a reader that says nothing more."""
LOOK_EVERY_S = 1.0
"""How often it is looked who has said nothing for so long."""
MOST_AT_ONCE = 2048
"""Events of one turn that are sent at a time, so that a long reply holds up no other."""

type _Entry = tuple[int, int, Sequence[CarriedDelta]]
"""The number by which a turn is followed, the ``seq`` of its first delta, and deltas."""


class EventFeeds:
    """Sends what turns say, every 20 ms that of all of them in one message to each inbox.

    Turns do not know of it: a delta costs nothing when it is said, and a message for each turn would cost several
    times as much as one for all. ``find_here`` gives a turn of this process whose events are kept.
    """

    def __init__(self, bus: Bus, *, find_here: Callable[[UUID], LiveTurn | None]) -> None:
        self._bus = bus
        self._find_here = find_here
        self._inboxes: dict[str, dict[UUID, _Feed]] = {}
        self._timer: asyncio.Handle | None = None
        self._look_at = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._inboxes.values()))

    def follow(self, asked: Follow) -> None:
        """Begin to send the events of a turn to a reader, or go on."""
        feeds = self._inboxes.setdefault(asked.inbox, {})
        feed = feeds.get(asked.turn_id)
        if feed is not None:
            feed.renew(asked)
            if not asked.again:
                return
        elif (live := self._find_here(asked.turn_id)) is not None:
            feeds[asked.turn_id] = _Feed(live, asked)
        else:
            self._end(asked.inbox)
            self._bus.send(asked.inbox, write(Gone(turn_id=asked.turn_id)))
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_soon(self._send)

    def leave(self, left: Leave) -> None:
        """Send a reader no more."""
        self._end(left.inbox, left.turn_id)

    def close(self) -> None:
        """Send nothing more."""
        for inbox, feeds in list(self._inboxes.items()):
            self._end(inbox, *feeds)
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, inbox: str, *turn_ids: UUID) -> None:
        feeds = self._inboxes.get(inbox, {})
        for turn_id in turn_ids:
            if (feed := feeds.pop(turn_id, None)) is not None:
                feed.close()
        if not feeds:
            self._inboxes.pop(inbox, None)

    def _send(self) -> None:
        """Send what is new, and do so again in a moment while anybody reads."""
        loop = asyncio.get_running_loop()
        for inbox, feeds in list(self._inboxes.items()):
            self._end(inbox, *self._send_to(inbox, feeds.values()))
        if (now := loop.time()) > self._look_at:
            self._look_at = now + LOOK_EVERY_S
            for inbox, feeds in list(self._inboxes.items()):
                self._end(inbox, *[turn_id for turn_id, feed in feeds.items() if feed.until < now])
        self._timer = loop.call_later(SEND_EVERY_S, self._send) if self._inboxes else None

    def _send_to(self, inbox: str, feeds: Iterable[_Feed]) -> list[UUID]:
        """Send what is new to an inbox; return the turns of which all is sent."""
        numbers, firsts, counts, texts = columns = Texts([], [], [], [])
        others: list[_Entry] = []
        over: list[UUID] = []
        for feed in feeds:
            position = feed.position
            said = feed.events.texts_since(position)
            if said and feed.reads_texts:
                numbers.append(feed.number)
                firsts.append(position)
                counts.append(len(said))
                texts += said
                feed.position = position + len(said)
            elif said != [] and self._send_news(feed, others):
                over.append(feed.live.turn_id)
        if texts:
            self._bus.send(inbox, write_texts(columns))
        self._send_entries(inbox, others)
        return over

    def _send_news(self, feed: _Feed, entries: list[_Entry]) -> bool:
        """Send what is new and not all text, or add it to what is sent; return whether the turn is over."""
        until = feed.position + MOST_AT_ONCE
        event: Event | None = None
        while feed.position < until and (events := feed.events.since(feed.position)):
            carried = [_carried(event) for event in events]
            if None in carried:
                self._send_entries(feed.inbox, entries)  # what was said before
                entries.clear()
                self._bus.send(feed.inbox, tell(feed.live, feed.position, events))
            else:
                entries.append((feed.number, feed.position, cast("list[CarriedDelta]", carried)))
            feed.position += len(events)
            event = events[-1]
        return isinstance(event, TurnEnded)

    def _send_entries(self, inbox: str, entries: Sequence[_Entry]) -> None:
        if entries:
            self._bus.send(inbox, write_deltas(entries))


class _Feed:
    """A turn as one inbox follows it, up to ``position``.

    ``number`` is what that calls it, ``until`` when it has asked too long ago, and ``reads_texts`` whether it knows
    ``Texts``.
    """

    __slots__ = ("_reading", "events", "inbox", "live", "number", "position", "reads_texts", "until")

    def __init__(self, live: LiveTurn, asked: Follow) -> None:
        self.live = live
        self.events = live.events
        self.inbox = asked.inbox
        self.number = asked.number
        self.reads_texts = asked.reads_texts
        self.until = asyncio.get_running_loop().time() + LEASE_S
        self.position = asked.after + 1
        self._reading = asyncio.create_task(live.ended())

    def renew(self, asked: Follow) -> None:
        """Go on, from where the reader is when something was lost."""
        self.until = asyncio.get_running_loop().time() + LEASE_S
        self.number = asked.number
        self.reads_texts = asked.reads_texts
        if asked.again:
            self.position = asked.after + 1

    def close(self) -> None:
        """Be a reader no more."""
        self._reading.cancel()


def _carried(event: Event) -> CarriedDelta | None:
    """Return what stands for a delta; None for another event."""
    if not isinstance(event, Delta):
        return None
    content, fields, model, completion_id = event
    if fields is None and model is None and completion_id is None:
        return content
    return content, dict(fields) if fields is not None else None, model, completion_id
