"""What a request asks for, once it is known where its history ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from idolchat_api_openai.matching.alignment import Alignment
from idolchat_api_openai.matching.tree import ROOT, Node, Tree
from idolchat_api_openai.requests.hints import Hints
from idolchat_api_openai.requests.said import Said
from idolchat_api_openai.requests.text import are_same
from idolchat_core import StoredId

__all__ = ["AnswerAgain", "Append", "Continue", "SaidBefore", "Step", "step_of"]

_LOOK_AHEAD = 3
"""Messages among which one is looked for that was sent again: a pair may have been left out before it."""


class SaidBefore(NamedTuple):
    """When a message was said, None: now; and where in the document it stands already, None: nowhere."""

    said_at: datetime | None
    position: int | None


@dataclass(frozen=True, slots=True)
class Append:
    """Add messages, after the one of this id (None: before the first), and answer them.

    ``before`` tells of the first of them what is stored of them; the others are said now, and for the first time.
    """

    after: StoredId | None
    said: Sequence[Said]
    before: Sequence[SaidBefore] = ()


@dataclass(frozen=True, slots=True)
class AnswerAgain:
    """Answer a stored message once more."""

    message_id: StoredId


@dataclass(frozen=True, slots=True)
class Continue:
    """Continue a stored reply."""

    reply_id: StoredId


_NEW = SaidBefore(None, None)

type Step = Append | AnswerAgain | Continue


def step_of(tree: Tree, said: Sequence[Said], alignment: Alignment, hints: Hints) -> Step:
    """Decide what to do in a conversation that is there."""
    position, new = alignment.position, said[alignment.count :]
    if len(said) == 1 and _is_only_new(tree, said[0], alignment, hints):
        return Append(tree.id_of(tree.head_position), said)
    if new or position == ROOT:
        return Append(tree.id_of(position), new, _said_before(tree, position, new))
    node = tree.nodes[position]
    if node.role != "assistant" or hints.generation == "normal":
        return AnswerAgain(node.id)
    return Continue(node.id)


def _is_only_new(tree: Tree, message: Said, alignment: Alignment, hints: Hints) -> bool:
    """Return whether a client sends what is new and no history, so that its only message follows all others."""
    if message.role != "user" or hints.resends or not tree.nodes:
        return False
    if not alignment.count:
        return True
    return alignment.is_from_root and len(tree.path(tree.head_position)) > len(tree.path(alignment.position)) + 1


def _said_before(tree: Tree, position: int, new: Sequence[Said]) -> Sequence[SaidBefore]:
    """Find messages that stand on the active branch too, behind what was edited or left out.

    What was edited was said when the message was that follows it. The last is new in any case.
    """
    path = tree.path(tree.head_position) if len(new) > 1 else []
    if position != ROOT and position not in path:
        return ()
    place, missed = path.index(position) + 1 if position != ROOT else 0, 0
    found: list[SaidBefore] = []
    for message in new[:-1]:
        near = enumerate(path[place : place + _LOOK_AHEAD + missed], place + 1)
        known = next(((after, tree.nodes[one]) for after, one in near if _are_one(message, tree.nodes[one])), None)
        if known is not None:
            place, missed = known[0], 0
        else:
            missed += 1
        found.append(SaidBefore(known[1].timestamp, known[1].position) if known is not None else _NEW)
    for place in range(len(found) - 2, -1, -1):
        if found[place] is _NEW:
            found[place] = SaidBefore(found[place + 1].said_at, None)
    return found


def _are_one(message: Said, node: Node) -> bool:
    return message.role == node.role and are_same(message.text, node.text)
