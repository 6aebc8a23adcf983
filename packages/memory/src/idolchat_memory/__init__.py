"""What users and characters said to each other, found again."""

from idolchat_memory.recall import Recall, RecallQuery, RecallResult
from idolchat_memory.sqlite import open_sqlite_index

__all__ = ["Recall", "RecallQuery", "RecallResult", "open_sqlite_index"]
