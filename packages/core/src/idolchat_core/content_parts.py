"""The parts of a message's content, in the form of the OpenAI chat completions API."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

__all__ = ["MessageContent", "check_content"]


def check_content(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return it as it is. Raises ``ValueError`` for a part that names no type, and a text that is none.

    A part of a type that is not known here is the provider's business, and so are the fields of all but texts.
    """
    for number, part in enumerate(content if isinstance(content, list) else ()):
        kind = part.get("type")
        if not isinstance(kind, str) or not kind:
            raise ValueError(f'part {number} must name its `type`, as {{"type": "text", "text": "Hi"}} does')
        if kind == "text" and not isinstance(part.get("text"), str):
            raise ValueError(f"part {number} is of the type text, and its `text` must be a string")
    return content


MessageContent = Annotated[str | list[dict[str, Any]], AfterValidator(check_content)]
"""Text, or content parts, as a client may send them; what is stored is not checked."""
