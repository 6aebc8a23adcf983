"""What can go wrong with a call to Supabase.

Each is a ``StorageUnavailable``: one that nobody expects still says that the answer is not known, never that nothing
is there.
"""

from __future__ import annotations

from idolchat_core import StorageUnavailable

__all__ = [
    "AlreadyThere",
    "BucketNotSeen",
    "NoSuchColumn",
    "NoSuchObject",
    "NoSuchTable",
    "RowRefused",
    "TransientError",
]


class TransientError(StorageUnavailable):
    """It may go away by itself: an outage, a lost connection, too much at once."""


class NoSuchObject(StorageUnavailable):
    """The bucket was found, and the object not: because it is not there, or because the key may not see it."""


class BucketNotSeen(StorageUnavailable):
    """The bucket is not there, or hidden; on a download, a key that is expired or wrong is answered just so."""


class AlreadyThere(StorageUnavailable):
    """What was to be made is there already."""


class NoSuchTable(StorageUnavailable):
    """The table is not there, or the REST interface does not know it yet."""


class RowRefused(StorageUnavailable):
    """The table takes no such row: a column is missing or of another type, or a rule forbids it."""


class NoSuchColumn(RowRefused):
    """The table lacks a column, or the REST interface does not know it yet."""
