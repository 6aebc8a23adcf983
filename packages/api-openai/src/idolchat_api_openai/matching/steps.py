"""What a request asks for, once it is known where its history ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idolchat_api_openai.matching.alignment import Alignment
from idolchat_api_openai.matching.tree import ROOT, Tree
from idolchat_api_openai.requests.hints import Hints
from idolchat_api_openai.requests.said import Said
from idolchat_core import StoredId

__all__ = ["AnswerAgain", "Append", "Continue", "Step", "step_of"]


@dataclass(frozen=True, slots=True)
class Append:
    """Add messages, after the one of this id (None: before the first), and answer them."""

    after: StoredId | None
    said: Sequence[Said]


@dataclass(frozen=True, slots=True)
class AnswerAgain:
    """Answer a stored message once more."""

    message_id: StoredId


@dataclass(frozen=True, slots=True)
class Continue:
    """Continue a stored reply."""

    reply_id: StoredId


type Step = Append | AnswerAgain | Continue


def step_of(tree: Tree, said: Sequence[Said], alignment: Alignment, hints: Hints) -> Step:
    """Decide what to do in a conversation that is there."""
    position, new = alignment.position, said[alignment.count :]
    if len(said) == 1 and _is_only_new(tree, said[0], alignment, hints):
        return Append(tree.id_of(tree.head_position), said)
    if new or position == ROOT:
        return Append(tree.id_of(position), new)
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
