"""The text of messages."""

from __future__ import annotations

__all__ = ["message_text"]


def message_text(content: object) -> str:
    """Return the text of a message's content, without its images and files."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
