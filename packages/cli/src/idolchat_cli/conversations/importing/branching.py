"""Put the messages of another program, which form a tree, into the order of a document."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

__all__ = ["Arranged", "Entry", "arrange"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as another program has it, by a key of its own, and the key of the one that it follows.

    One without a ``role`` does not come over; it stands between others. One that ``is_hidden`` was kept from the model.
    """

    key: str
    parent: str | None
    role: str | None = None
    text: str = ""
    time: datetime | None = None
    is_hidden: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)


class Arranged(NamedTuple):
    """An entry that comes over, the key of the one that it follows in the document, and its time."""

    entry: Entry
    parent: str | None
    time: datetime


def arrange(entries: Sequence[Entry], active: str | None, begun_at: datetime) -> tuple[Sequence[Arranged], str | None]:
    """Order entries by time, none before the one that it follows; beside them, the key of the active branch's last.

    What was hidden from the model stays a branch of its own, beside what follows it. A parent that is not there, or
    that follows its own child, is none. Entries without a time have that of the one before them, and none is older.
    """
    known = {entry.key: entry for entry in entries}
    parents = _without_circles({key: entry.parent for key, entry in known.items()})
    path = set(_up(active, parents))
    arranged: list[Arranged] = []
    times: dict[str | None, datetime] = {None: begun_at}
    last: dict[str | None, str | None] = {None: None}
    shown: dict[str | None, str | None] = {None: None}
    for key in _downwards(parents, path):
        entry, parent = known[key], parents[key]
        times[key] = max(entry.time or times[parent], times[parent]) if parent else entry.time or begun_at
        last[key], shown[key] = last[parent], shown[parent]
        if entry.role is not None:
            follows = last[parent] if entry.is_hidden else shown[parent]
            arranged.append(Arranged(entry, follows, times[key]))
            last[key] = key
            shown[key] = shown[parent] if entry.is_hidden else key
    arranged.sort(key=lambda one: one.time)
    newest = next((one.entry.key for one in reversed(arranged) if not one.entry.is_hidden), None)
    return arranged, shown.get(active) or newest


def _without_circles(parents: Mapping[str, str | None]) -> dict[str, str | None]:
    result = {key: parent if parent in parents else None for key, parent in parents.items()}
    sound: set[str] = set()
    for key in result:
        chain: dict[str, None] = {}
        at: str | None = key
        while at is not None and at not in sound and at not in chain:
            chain[at] = None
            at = result[at]
        if at is not None and at in chain:
            result[at] = None
        sound.update(chain)
    return result


def _up(key: str | None, parents: Mapping[str, str | None]) -> Iterator[str]:
    while key is not None and key in parents:
        yield key
        key = parents[key]


def _downwards(parents: Mapping[str, str | None], path: Collection[str]) -> Iterator[str]:
    """Walk from the first messages to the last, each branch to its end, the active one after the others."""
    children: dict[str | None, list[str]] = {}
    for key, parent in parents.items():
        children.setdefault(parent, []).append(key)
    waiting: list[str] = _last(children.get(None, ()), path)
    while waiting:
        key = waiting.pop()
        yield key
        waiting += _last(children.get(key, ()), path)


def _last(keys: Collection[str], path: Collection[str]) -> list[str]:
    """Order keys so that one of the active path is taken last from the end of the list."""
    return sorted(keys, key=lambda key: key in path)[::-1]
