"""What memory says in prompts."""

from idolchat_memory.prompt.source import RecallSource, open_recall_source

__all__ = ["RecallSource", "open_recall_source"]
