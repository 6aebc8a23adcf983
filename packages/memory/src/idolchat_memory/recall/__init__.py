"""Recall: what was said that answers a text, by words and, where there are vectors, by meaning."""

from idolchat_memory.recall.recall import DEFAULT_FLOOR, InPrompt, Recall, Recalled, RecallQuery, RecallResult

__all__ = ["DEFAULT_FLOOR", "InPrompt", "Recall", "RecallQuery", "RecallResult", "Recalled"]
