"""Summaries: what stands in prompts for messages that no longer fit the context window."""

from idolchat_memory.summaries.store import SummaryStore, summaries_of
from idolchat_memory.summaries.summary import Summary

__all__ = ["Summary", "SummaryStore", "summaries_of"]
