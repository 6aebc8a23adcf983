"""Follows the changes of conversations, so that the index holds what they hold."""

from idolchat_memory.feed.maintenance import compare, rebuild
from idolchat_memory.feed.observer import MemoryFeed, open_feed

__all__ = ["MemoryFeed", "compare", "open_feed", "rebuild"]
