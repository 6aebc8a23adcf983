"""What users and characters said to each other, found again."""

from idolchat_memory.contract import MemoryIndex, MemoryMessage, MemoryScope
from idolchat_memory.recall import Recall, RecallQuery, RecallResult
from idolchat_memory.sqlite import open_sqlite_index

__all__ = [
    "MemoryIndex",
    "MemoryMessage",
    "MemoryScope",
    "Recall",
    "RecallQuery",
    "RecallResult",
    "open_sqlite_index",
]
