"""Example messages of a card, as SillyTavern reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

__all__ = ["ExampleMessage", "example_blocks"]

_START = re.compile(r"<START>", re.IGNORECASE)


class ExampleMessage(NamedTuple):
    """One message of an example."""

    speaker: Literal["example_user", "example_assistant"]
    text: str


def example_blocks(text: str, *, user: str, char: str) -> Iterator[list[ExampleMessage]]:
    """Split example messages, with macros resolved, into blocks of messages.

    A block ends at ``<START>``. In it, a line that begins with a name and a colon begins a message, and other lines go
    on with it; lines before the first message are left out.
    """
    for block in _START.split(text):
        messages = list(_messages(block, user=user, char=char))
        if messages:
            yield messages


def _messages(block: str, *, user: str, char: str) -> Iterator[ExampleMessage]:
    speaker: Literal["example_user", "example_assistant"] | None = None
    lines: list[str] = []
    for line in block.strip().splitlines():
        is_user, is_char = line.startswith(f"{user}:"), line.startswith(f"{char}:")
        if not (is_user or is_char):
            lines.append(line)
            continue
        if speaker and (said := "\n".join(lines).strip()):
            yield ExampleMessage(speaker, said)
        speaker = "example_user" if is_user else "example_assistant"
        lines = [line[len(user if is_user else char) + 1 :]]
    if speaker and (said := "\n".join(lines).strip()):
        yield ExampleMessage(speaker, said)
