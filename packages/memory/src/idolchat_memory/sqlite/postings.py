"""Postings in the file: where each term occurs, in blocks of a few dozen, so that a term is stored once for many."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence

from idolchat_core import WEIGHT_BITS, Posting

__all__ = ["add", "everything", "newest", "of_many", "remove"]

_BLOCK = 64
"""Postings of a block; a row of more than some hundred bytes would take a page of its own."""
_LAST = (
    "SELECT term, block, postings FROM json_each(?) CROSS JOIN postings ON scope = ? AND term = value"
    " AND block = (SELECT max(block) FROM postings WHERE scope = ? AND term = value)"
)
_NEWEST = (
    "SELECT key, postings FROM json_each(?) CROSS JOIN postings ON scope = ? AND term = value"
    " AND block > (SELECT max(block) FROM postings WHERE scope = ? AND term = value) - ?"
)
_OF_MANY = "SELECT key, postings FROM json_each(?) CROSS JOIN postings ON scope = ? AND term = value"
_DOWNWARDS = "SELECT block, postings FROM postings WHERE scope = ? AND term = ? ORDER BY block DESC"
_PUT = "INSERT OR REPLACE INTO postings VALUES (?, ?, ?, ?)"
_DROP = "DELETE FROM postings WHERE scope = ? AND term = ? AND block = ?"


def newest(
    database: sqlite3.Connection, scope: int | None, terms: Sequence[str], limit: int
) -> dict[str, Sequence[Posting]]:
    """See ``ScopeReader.postings``."""
    found: dict[str, array[int]] = {}
    blocks = limit // _BLOCK + 2  # the last may be nearly empty, and what was removed leaves gaps
    for number, packed in database.execute(_NEWEST, (json.dumps(terms), scope, scope, blocks)):
        found.setdefault(terms[number], array("q")).frombytes(packed)
    return {term: sorted(postings, reverse=True)[:limit] for term, postings in found.items()}


def of_many(
    database: sqlite3.Connection, scope: int | None, terms: Sequence[str], limit: int
) -> dict[str, Sequence[Posting]]:
    """See ``ScopeReader.postings_of_many``."""
    found: dict[str, array[int]] = {}
    for number, packed in database.execute(_OF_MANY, (json.dumps(terms), scope)):
        postings = array("q", packed)[:limit]
        limit -= len(postings)
        if terms[number] in found:
            found[terms[number]] += postings
        else:
            found[terms[number]] = postings
        if not limit:
            break
    return dict(found)


def everything(database: sqlite3.Connection, scope: int) -> Iterator[tuple[str, Posting]]:
    """Yield each term of a scope with each of its postings."""
    for term, packed in database.execute("SELECT term, postings FROM postings WHERE scope = ?", (scope,)):
        yield from ((term, posting) for posting in array("q", packed))


def add(database: sqlite3.Connection, scope: int, postings: Mapping[str, Sequence[Posting]]) -> None:
    """Add postings to those of their terms: what this writes does not grow with what is there."""
    rows: list[tuple[int, str, int, bytes]] = []
    there = database.execute(_LAST, (json.dumps(list(postings)), scope, scope))
    last = {term: (block, packed) for term, block, packed in there}
    for term in sorted(postings):  # in the order of the key: many at once lie closer, and are written faster
        block, packed = last.get(term, (0, b""))
        packed += array("q", postings[term]).tobytes()
        rows += [(scope, term, block + number, part) for number, part in enumerate(_parts(packed))]
    database.executemany(_PUT, rows)


def remove(database: sqlite3.Connection, scope: int, places: Mapping[str, Collection[int]]) -> None:
    """Remove the postings of some places from their terms; those of the end are found at once."""
    for term, gone in places.items():
        changed: list[tuple[int, array[int]]] = []
        left = len(gone)
        for block, packed in database.execute(_DOWNWARDS, (scope, term)):
            there = array("q", packed)
            kept = array("q", [posting for posting in there if posting >> WEIGHT_BITS not in gone])
            if len(kept) < len(there):
                changed.append((block, kept))
                left -= len(there) - len(kept)
            if not left:
                break
        for block, kept in changed:
            if kept:
                database.execute(_PUT, (scope, term, block, kept.tobytes()))
            else:
                database.execute(_DROP, (scope, term, block))


def _parts(packed: bytes) -> Iterator[bytes]:
    size = 8 * _BLOCK
    return (packed[start : start + size] for start in range(0, len(packed), size))
