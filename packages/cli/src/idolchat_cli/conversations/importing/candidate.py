"""What is found in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID, uuid5

from idolchat_core.models import Conversation

__all__ = ["NAMESPACE", "Candidate", "Finding", "NotTaken", "derived_id"]

NAMESPACE = UUID("6f1a9a52-4c0e-5d6c-9d0c-1d9d3b8f0e11")
"""Of the ids that are made from those of other programs; it never changes, so that they do not either."""


class Candidate(NamedTuple):
    """A conversation, and where it was found."""

    conversation: Conversation
    source: str


class NotTaken(NamedTuple):
    """Something that cannot be taken: where it is, and why."""

    source: str
    reason: str


type Finding = Candidate | NotTaken
type Findings = Iterator[Finding]


def derived_id(program: str, name: str) -> UUID:
    """Make the id of a conversation of another program: the same every time."""
    return uuid5(NAMESPACE, f"{program}:{name}")
