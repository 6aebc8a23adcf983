"""What a summary stands for: read from the end of a branch, a page at a time, and no further than it has to be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from pydantic_core import to_json

from idolchat_core import ConversationDamaged, ConversationNotFound, Message, Storage
from idolchat_memory.feed.memories import memory_text
from idolchat_memory.summaries.summary import Summary

__all__ = ["Covered", "cover", "right_ones"]

PAGE_SIZE = 64


class Covered(NamedTuple):
    """What stands before a message on its branch: what a summary stands for, if there is one, and what was said since.

    ``since`` is oldest first; ``digest`` is the ``inputs_hash`` of a summary of all of it.
    """

    before: Summary | None
    since: Sequence[Message]
    next_message_id: str
    digest: str

    @property
    def total(self) -> int:
        """How many messages that are."""
        return len(self.since) + (self.before.messages if self.before is not None else 0)


async def cover(
    storage: Storage, conversation_id: UUID, next_message_id: str, right: Collection[Summary]
) -> Covered | None:
    """Read what stands before a message, back to where the furthest of the right summaries ends, or to the root.

    None where there is no such message, nothing before it, or not everything that can be read.
    Raises ``StorageUnavailable``.
    """
    known = {one.last_message_id: one for one in right}
    since: list[Message] = []
    before: Summary | None = None
    try:
        async with aclosing(_back_from(storage, conversation_id, next_message_id)) as branch:
            async for message in branch:
                before = known.get(str(message.id)) if since else None  # the first is the next message itself
                if before is not None:
                    break
                since.append(message)
    except (ConversationNotFound, ConversationDamaged):
        return None
    if len(since) < 2:
        return None
    since = since[:0:-1]
    start = before.inputs_hash if before is not None else ""
    return Covered(before, since, next_message_id, _chained(map(_digest, since), start))


async def right_ones(storage: Storage, conversation_id: UUID, summaries: Sequence[Summary]) -> list[Summary]:
    """Return those summaries whose messages are what they were when each was made.

    All that they stand for is read, and of each message a hash is kept. Raises ``ConversationNotFound``,
    ``ConversationDamaged``, ``StorageUnavailable``.
    """
    right: dict[UUID, Summary] = {}
    unseen = sorted(summaries, key=lambda one: one.messages, reverse=True)
    while unseen:
        ends = {one.last_message_id: one for one in unseen}
        digests: list[bytes] = []
        seen: list[tuple[int, Summary]] = []
        async with aclosing(_back_from(storage, conversation_id, unseen[0].last_message_id)) as branch:
            async for message in branch:
                if (ended := ends.get(str(message.id))) is not None:
                    seen.append((len(digests), ended))
                digests.append(_digest(message))
        chain = _chain(reversed(digests))
        for place, one in seen:
            if len(digests) - place == one.messages and chain[one.messages - 1] == one.inputs_hash:
                right[one.id] = one
        checked = {unseen[0].id, *(one.id for _, one in seen)}
        unseen = [one for one in unseen if one.id not in checked]
    return [one for one in summaries if one.id in right]


async def _back_from(storage: Storage, conversation_id: UUID, message_id: str) -> AsyncGenerator[Message]:
    """Yield a message and those before it on its branch, newest first; nothing where it is not there."""
    wanted: str | None = message_id
    before: int | None = None
    while before != 0:
        page = await storage.read_page(conversation_id, limit=PAGE_SIZE, before=before)
        if page.conversation.status == "damaged":
            raise ConversationDamaged(f"conversation {conversation_id} can be read in part only")
        for message in reversed(page.conversation.messages):
            if wanted is None or str(message.id) == wanted:
                yield message
                if "parent_id" not in message.model_fields_set:
                    wanted = None
                elif message.parent_id is None:
                    return
                else:
                    wanted = str(message.parent_id)
        before = page.start


def _digest(message: Message) -> bytes:
    return sha256(to_json([str(message.id), message.role, memory_text(message)])).digest()


def _chain(digests: Iterable[bytes], start: str = "") -> list[str]:
    """Hash each message together with all before it."""
    chain = [start]
    for digest in digests:
        chain.append(sha256(chain[-1].encode() + digest).hexdigest())
    return chain[1:]


def _chained(digests: Iterable[bytes], start: str) -> str:
    return _chain(digests, start)[-1]
