"""The events of turns of this process on their way to readers in others."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import cast
from uuid import UUID

from idolchat_core.coordination.contract import Bus
from idolchat_core.coordination.messages import (
    CarriedDelta,
    Follow,
    Gone,
    Leave,
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
MOST_AT_ONCE = 2048
"""Events of one turn that are sent at a time, so that a long reply holds up no other."""

type _Entry = tuple[int, int, Sequence[CarriedDelta]]
"""The number by which a turn is followed, the ``seq`` of its first delta, and deltas."""
type _TextEntry = tuple[int, int, Sequence[str]]
"""The same, of deltas of nothing but text."""


class EventFeeds:
    """Sends what turns say, every 20 ms that of all of them in one message to each inbox.

    Turns do not know of it: a delta costs nothing when it is said, and a message for each turn would cost several
    times as much as one for all. ``find_here`` gives a turn of this process whose events are kept.
    """

    def __init__(self, bus: Bus, *, find_here: Callable[[UUID], LiveTurn | None]) -> None:
        self._bus = bus
        self._find_here = find_here
        self._feeds: dict[tuple[UUID, str], _Feed] = {}
        self._timer: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._feeds)

    def follow(self, asked: Follow) -> None:
        """Begin to send the events of a turn to a reader, or go on."""
        feed = self._feeds.get((asked.turn_id, asked.inbox))
        if feed is not None:
            feed.renew(asked)
            if not asked.again:
                return
        elif (live := self._find_here(asked.turn_id)) is not None:
            self._feeds[asked.turn_id, asked.inbox] = _Feed(live, asked)
        else:
            self._bus.send(asked.inbox, write(Gone(turn_id=asked.turn_id)))
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_soon(self._send)

    def leave(self, left: Leave) -> None:
        """Send a reader no more."""
        self._end(left.turn_id, left.inbox)

    def close(self) -> None:
        """Send nothing more."""
        for key in list(self._feeds):
            self._end(*key)
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, turn_id: UUID, inbox: str) -> None:
        feed = self._feeds.pop((turn_id, inbox), None)
        if feed is not None:
            feed.close()

    def _send(self) -> None:
        """Send what is new, and do so again in a moment while anybody reads."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        texts: defaultdict[str, list[_TextEntry]] = defaultdict(list)
        others: defaultdict[str, list[_Entry]] = defaultdict(list)
        for key, feed in list(self._feeds.items()):
            position = feed.position
            if said := feed.events.texts_since(position):
                texts[feed.inbox].append((feed.number, position, said))
                feed.position = position + len(said)
            elif said is None and self._send_news(feed, others[feed.inbox]):
                self._end(*key)
            if feed.until < now:
                self._end(*key)
        for inbox, collected in texts.items():
            self._bus.send(inbox, write_texts(collected))
        for inbox, further in others.items():
            self._send_entries(inbox, further)
        self._timer = loop.call_later(SEND_EVERY_S, self._send) if self._feeds else None

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

    ``number`` is what that calls it, and ``until`` when it has asked too long ago.
    """

    __slots__ = ("_reading", "events", "inbox", "live", "number", "position", "until")

    def __init__(self, live: LiveTurn, asked: Follow) -> None:
        self.live = live
        self.events = live.events
        self.inbox = asked.inbox
        self.number = asked.number
        self.until = asyncio.get_running_loop().time() + LEASE_S
        self.position = asked.after + 1
        self._reading = asyncio.create_task(live.ended())

    def renew(self, asked: Follow) -> None:
        """Go on, from where the reader is when something was lost."""
        self.until = asyncio.get_running_loop().time() + LEASE_S
        self.number = asked.number
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
