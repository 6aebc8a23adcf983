"""The index of memory in one SQLite file."""

from idolchat_memory.sqlite.index import SqliteMemoryIndex, open_sqlite_index

__all__ = ["SqliteMemoryIndex", "open_sqlite_index"]
