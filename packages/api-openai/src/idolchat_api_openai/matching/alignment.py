"""Where in a conversation's tree a history ends that a client sends again.

A history may be cut off at its beginning, its names may have changed, a reply may be there as its beginning only, two
may be one or one may be two. What equals the tree is recognised; what follows is new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from idolchat_api_openai.matching.tree import ROOT, Node, Tree
from idolchat_api_openai.requests.said import Said
from idolchat_api_openai.requests.text import ENOUGH_TO_BEGIN, ENOUGH_TO_KNOW, are_same

__all__ = ["Alignment", "align", "is_begun", "is_told", "telling_replies"]

MAX_TELLING, MAX_BEGUN = 16, 4
"""Texts of the assistant that are looked for, the newest."""
MAX_STARTS = 64
"""Messages that a history which was cut off may begin with, the newest of those that say the same."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The first ``count`` messages of a history are known, and end with the message at ``position``.

    ``is_from_root`` says that they begin with a first message of the tree.
    """

    position: int
    count: int
    is_from_root: bool = True

    def has_reply(self, tree: Tree) -> bool:
        """Return whether a reply of a model is among what is known; a greeting is none."""
        return any(tree.nodes[position].is_reply for position in tree.path(self.position)[-self.count :])


def telling_replies(said: Sequence[Said]) -> list[Said]:
    """Return what identifies a conversation: the newest replies, oldest first, whose texts are as good as unique.

    What stands first is a greeting, which many conversations have.
    """
    return [reply for reply in _newest_replies(said, MAX_TELLING) if len(reply.text) >= ENOUGH_TO_KNOW]


def _newest_replies(said: Sequence[Said], count: int) -> list[Said]:
    """Return the newest messages of the assistant, oldest first, without one that stands first of all."""
    replies = (said[place] for place in range(len(said) - 1, 0, -1) if said[place].role == "assistant")
    return list(islice(replies, count))[::-1]


def is_told(tree: Tree, texts: Sequence[str]) -> bool:
    """Return whether one of these texts is a reply in this conversation."""
    return any(tree.nodes[node].is_reply for text in texts for node in tree.saying("assistant", text))


def is_begun(tree: Tree, said: Sequence[Said]) -> bool:
    """Return whether one of the newest texts of the assistant is what a reply in this conversation begins with."""
    begun = tuple(one.text for one in _newest_replies(said, MAX_BEGUN) if len(one.text) >= ENOUGH_TO_KNOW / 2)
    return bool(begun) and any(node.is_reply and node.text.startswith(begun) for node in tree.nodes)


def align(tree: Tree, said: Sequence[Said], *, is_whole: bool = False) -> Alignment:
    """Find the longest beginning of a history that is in the tree, and where it ends there.

    ``is_whole`` says that it is known not to be cut off.
    """
    position, count = _walk(tree, said)
    if count == len(said):
        return Alignment(position, count)
    from_root = _longest(tree, said, {count: {position}})
    if from_root.count == len(said) or is_whole:
        return from_root
    cut_off = _from_anywhere(tree, said)
    if cut_off is not None and cut_off.count > from_root.count:
        return cut_off
    return from_root if from_root.count else _beside(tree, said) or from_root


def _walk(tree: Tree, said: Sequence[Said]) -> tuple[int, int]:
    """Skip what is equal character by character, as nearly all of it is."""
    position, find, speaker = ROOT, tree.by_key.get, ""
    for count, message in enumerate(said):
        role = message.role
        if role == "assistant" == speaker:
            return ROOT, 0  # parts of one reply, perhaps: that is looked at closely, from the beginning
        speaker = role
        found = find((position, message.key)) or _only_same(tree, position, message)
        if len(found) != 1:
            return position, count
        position = found[0]
    return position, len(said)


def _only_same(tree: Tree, position: int, message: Said) -> Sequence[int]:
    """Find the one message that follows, where it is the same in other blanks or under another name; learn it."""
    following = tree.children(position)
    if len(following) != 1:
        return ()
    node = tree.nodes[following[0]]
    if node.role != message.role:
        return ()
    is_trimmed = node.trimmed_key is not None and message.trimmed_key == node.trimmed_key
    if not is_trimmed and not are_same(message.text, node.text):
        return ()
    tree.learn(position, message.key, node.position)
    return following


def _longest(tree: Tree, said: Sequence[Said], reached: dict[int, set[int]], *, is_from_root: bool = True) -> Alignment:
    """Follow every way that a history may take from where it has come to, and return the longest.

    ``reached`` are positions, by how many messages have led there. A way may lead through messages that were deleted
    here and are sent again, and does not end with one: that what stands there is the deleted one, tells what follows.
    """
    ways: defaultdict[int, set[int]] = defaultdict(set, reached)
    longest, ends = min(reached), reached[min(reached)]
    for count in range(min(ways), len(said) + 1):
        if count not in ways:
            continue
        if known := {one for one in ways[count] if one == ROOT or not tree.nodes[one].is_deleted}:
            longest, ends = count, known
        for position in ways[count] if count < len(said) else ():
            for further, node in _steps(tree, said, count, position):
                ways[further].add(node)
        del ways[count]
    return Alignment(_likeliest(tree, ends), longest, is_from_root)


def _likeliest(tree: Tree, positions: set[int]) -> int:
    """Choose among messages that are the same: the one on the active branch, else the newest."""
    if len(positions) > 1:
        active = positions.intersection(tree.path(tree.head_position))
        return max(active or positions)
    return next(iter(positions))


def _steps(tree: Tree, said: Sequence[Said], count: int, position: int) -> Iterator[tuple[int, int]]:
    """Yield what the next message may be: how many messages are known then, and the one that they end with."""
    message, is_last = said[count], count + 1 == len(said)
    if found := tree.exactly(position, message.key):
        yield from ((count + 1, node) for node in found)
        if _may_go_on(said, count):
            yield from _joined(tree, said, count, position)
        return
    if not is_last and (begun := tree.begun(position, message.key)) is not None:
        yield count + 1, begun
        return
    for node in tree.following(position):
        if node.role == message.role:
            yield from _ways_to(tree, said, count, position, node)
    for node in tree.deleted(position):
        if node.role == message.role and node.children:
            yield count + 1, node.position


def _may_go_on(said: Sequence[Said], count: int) -> bool:
    """Return whether a message and the next may be parts of one: a reply that was continued."""
    return said[count].role == "assistant" and count + 1 < len(said) and said[count + 1].role == "assistant"


def _joined(tree: Tree, said: Sequence[Said], count: int, position: int) -> Iterator[tuple[int, int]]:
    for node in tree.following(position):
        if node.role == said[count].role and (several := _several_sent(said, count, node)) is not None:
            yield several, node.position


def _ways_to(tree: Tree, said: Sequence[Said], count: int, position: int, node: Node) -> Iterator[tuple[int, int]]:
    message, is_last = said[count], count + 1 == len(said)
    if are_same(message.text, node.text):
        tree.learn(position, message.key, node.position)
        yield count + 1, node.position
    elif message.text and node.text.startswith(message.text):
        if (several := _several_sent(said, count, node)) is not None:
            yield several, node.position
        elif not is_last and node.role == "assistant" and len(message.text) >= ENOUGH_TO_BEGIN:
            tree.learn_beginning(position, message.key, node.position)
            yield count + 1, node.position
    elif message.text.startswith(node.text):
        for last in _several_stored(tree, node, message.text[len(node.text) :].lstrip()):
            tree.learn(position, message.key, last)
            yield count + 1, last


def _several_sent(said: Sequence[Said], count: int, node: Node) -> int | None:
    """Return how many messages are known, where several of one role are together what is stored as one."""
    between = "" if node.role == "assistant" else " "
    joined = said[count].text
    for place in range(count + 1, len(said)):
        if said[place].role != node.role or not node.text.startswith(joined):
            return None
        joined += between + said[place].text
        if joined == node.text:
            return place + 1
    return None


def _several_stored(tree: Tree, node: Node, rest: str) -> Iterator[int]:
    """Find the last of several stored messages of one role that are sent as one, of which ``rest`` is left."""
    for following in tree.following(node.position):
        if following.role != node.role or not rest.startswith(following.text):
            continue
        left = rest[len(following.text) :].lstrip()
        if left:
            yield from _several_stored(tree, following, left)
        else:
            yield following.position


def _from_anywhere(tree: Tree, said: Sequence[Said]) -> Alignment | None:
    """Align a history that was cut off, so that it begins in the middle of the tree."""
    starts = tree.saying(said[0].role, said[0].text)[-MAX_STARTS:]
    if not starts:
        return None
    return _longest(tree, said, {1: set(starts)}, is_from_root=False)


def _begun_as(tree: Tree, message: Said) -> Sequence[int]:
    """Find the replies of which a client has the beginning, long enough to be theirs."""
    if message.role != "assistant" or len(message.text) < ENOUGH_TO_KNOW / 2:
        return ()
    return [node.position for node in tree.nodes if node.is_reply and node.text.startswith(message.text)]


def _stands_for(message: Said, node: Node) -> bool:
    """Return whether a message is a stored one, perhaps under another name, or a reply as far as it was read."""
    if message.role != node.role:
        return False
    is_begun = node.role == "assistant" and len(message.text) >= ENOUGH_TO_BEGIN and node.text.startswith(message.text)
    return is_begun or are_same(message.text, node.text)


def _beside(tree: Tree, said: Sequence[Said]) -> Alignment | None:
    """Align a history whose first message is not in the tree, by the first that is.

    It was edited, and stands where another stands that as many messages further leads to what is known; or it is more
    than the tree has, and what is known begins behind it.
    """
    for count, message in enumerate(said[1:], 1):
        starts = tree.saying(message.role, message.text) or _begun_as(tree, message)
        if not starts or len(message.text) < ENOUGH_TO_BEGIN:
            continue
        position = _longest(tree, said, {count + 1: set(starts[-MAX_STARTS:])}, is_from_root=False)
        path = tree.path(position.position)
        before = len(path) - (position.count - count)
        if before < count:
            return position
        first = tree.nodes[path[before - count]]
        if _stands_for(said[0], first):
            return _longest(tree, said, {1: {first.position}}, is_from_root=False)
        return Alignment(tree.parent(path[before - count]), 0, is_from_root=False)
    return None
