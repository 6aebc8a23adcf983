"""Small named values with the version that a writer compares."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from idolchat_core.errors import StorageConflict
from idolchat_core.storage import document

__all__ = ["NO_RECORD", "Record", "RecordKey", "RecordPages", "check_record_version", "names_after", "record_version"]

NO_RECORD: Final = ""
"""The version of a record that is not there."""

PAGES_HOLD_S = 60.0
MAX_LISTINGS = 8


class RecordKey(NamedTuple):
    """Which record."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Record(NamedTuple):
    """A small named value, and the version that it has in its store."""

    value: bytes
    version: str


def record_version(value: bytes | None) -> str:
    """Return a version for exactly this value, for stores that have no other; None is a record that is not there."""
    return NO_RECORD if value is None else document.digest(value)


def check_record_version(namespace: str, name: str, version: str, if_version: str | None) -> None:
    """Raise ``StorageConflict`` unless a record has the version that its writer read; None expects none."""
    if if_version is None or version == if_version:
        return
    if version == NO_RECORD:
        raise StorageConflict(f"record {namespace}/{name} is not there any more; read it again")
    if if_version == NO_RECORD:
        raise StorageConflict(f"there is a record {namespace}/{name} already; read it")
    raise StorageConflict(f"record {namespace}/{name} was changed since it was read; read it again")


def names_after(names: Sequence[str], after: str, limit: int | None) -> Sequence[str]:
    """Cut a page out of sorted names."""
    start = bisect_right(names, after)
    return names[start:] if limit is None else names[start : start + limit]


class RecordPages:
    """The lists of names that are being paged through, where making a list means asking for all names.

    A page that begins where the one before ended is cut from the same list, for ``PAGES_HOLD_S`` and until ``forget``.
    """

    def __init__(self) -> None:
        self._listings: OrderedDict[tuple[str, str], tuple[Sequence[str], float]] = OrderedDict()

    def following(self, namespace: str, after: str) -> Sequence[str] | None:
        """Return all names, where a page ended with ``after``."""
        names, listed_at = self._listings.pop((namespace, after), ((), 0.0))
        return names if names and time.monotonic() - listed_at < PAGES_HOLD_S else None

    def cut(self, namespace: str, names: Sequence[str], *, after: str, limit: int | None) -> Sequence[str]:
        """Cut a page, and keep the names for the next one."""
        page = names_after(names, after, limit)
        if page and page[-1] != names[-1]:
            self._listings[namespace, page[-1]] = names, time.monotonic()
            while len(self._listings) > MAX_LISTINGS:
                self._listings.popitem(last=False)
        return page

    def forget(self, namespace: str) -> None:
        """Forget the names in a namespace, which may change now."""
        for key in [key for key in self._listings if key[0] == namespace]:
            del self._listings[key]
