"""What is found in a file: conversations, and what does not come over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID, uuid5

from idolchat_core.models import Conversation

__all__ = ["EMPTY", "NAMESPACE", "Candidate", "Finding", "Findings", "Skipped", "derived_id"]

NAMESPACE = UUID("6f1a9a52-4c0e-5d6c-9d0c-1d9d3b8f0e11")
"""Of the ids that are made from those of other programs; it never changes, so that they do not either."""


class Candidate(NamedTuple):
    """A conversation, and where it was found; ``is_derived`` where its id was made from a name in another program."""

    conversation: Conversation
    source: str
    is_derived: bool = False


class Skipped(NamedTuple):
    """Something that does not come over: where it is, and why, in words that are the same for all of a kind.

    ``is_lost`` says that a person may have written it; ``detail`` is about this one alone.
    """

    source: str
    reason: str
    is_lost: bool = True
    detail: str = ""


EMPTY = "conversation without messages"
"""Why nothing comes of a list of conversations, or of messages, that is empty: nobody wrote any."""

type Finding = Candidate | Skipped
type Findings = Iterator[Finding]


def derived_id(program: str, name: str) -> UUID:
    """Make the id of a conversation of another program: the same every time."""
    return uuid5(NAMESPACE, f"{program}:{name}")
