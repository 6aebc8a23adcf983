"""Messages that wait for their reply: in small objects beside the documents, so that a turn sends a document once.

``tails/<uuid>.<number>.<base>.json`` is the document of a conversation with those messages alone that its object lacks.
``<base>`` is the digest of the object to which they belong, ``new`` where there is none yet. Once the object is written
with them it has another digest, so that what is left of a tail, by a crash too, says nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import batched
from typing import NamedTuple
from uuid import UUID

from pydantic import ValidationError

from idolchat_core import (
    Conversation,
    ConversationDamaged,
    ConversationSummary,
    StorageUnavailable,
    document,
    new_id,
    pagination,
)
from idolchat_storage_supabase.bucket import PROOF_HOLDS_S, Bucket

__all__ = ["LISTED_AGE_S", "NEW", "Grown", "TailKey", "Tails", "grown", "is_needed"]

log = logging.getLogger(__name__)

FOLDER = "tails"
NEW = "new"
LISTED_AGE_S = 5.0
"""How long what another process has begun to write here may not be seen."""
GATHER_S = 1.0
"""How long what is not needed any more waits for others: many are removed in one call."""
RETRY_S = 30.0
KEYS_A_CALL = 200
MAX_TAIL_BYTES = 256 * 1024
MAX_REMEMBERED = 20_000
_NAME = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})\.([0-9a-f]{24}|new)\.json")


class TailKey(NamedTuple):
    """Names a tail; a later one of a conversation has a higher ``number``."""

    conversation_id: UUID
    number: str
    base: str

    def __str__(self) -> str:
        return f"{FOLDER}/{self.conversation_id}.{self.number}.{self.base}.json"


class Grown(NamedTuple):
    """A document with the messages of a tail.

    ``base`` is the digest of its object (``new``: there is none), and ``waiting`` how many messages that lacks.
    """

    data: bytes
    base: str
    waiting: int


class Tails:
    """The tails in the bucket: what this process writes, and what others have left, as it was listed last."""

    def __init__(self, bucket: Bucket, *, max_age_s: float) -> None:
        self._bucket = bucket
        self._max_age_s = max_age_s
        self._mine: set[TailKey] = set()
        self._unsure: set[TailKey] = set()
        self._listed: set[TailKey] = set()
        self._listed_at: float | None = None
        self._listing = asyncio.Lock()
        self._gone: OrderedDict[TailKey, None] = OrderedDict()
        self._summaries: OrderedDict[TailKey, ConversationSummary] = OrderedDict()
        self._useless: dict[TailKey, None] = {}
        self._removing: asyncio.Task[None] | None = None

    @property
    def written_here(self) -> Sequence[UUID]:
        """The conversations of which this process has written a tail that is still needed."""
        return list({key.conversation_id for key in self._mine if key not in self._useless})

    async def newest(self) -> Mapping[UUID, TailKey]:
        """Return the newest tail of each conversation that has one. Raises ``StorageUnavailable``."""
        await self._look(self._max_age_s)
        found: dict[UUID, TailKey] = {}
        for key in sorted(self._there() - self._useless.keys(), key=lambda key: key.number):
            found[key.conversation_id] = key
        return found

    async def of(self, conversation_id: UUID, *, max_age_s: float | None = None) -> list[TailKey]:
        """Return the tails of a conversation that may say something. Raises ``StorageUnavailable``."""
        return [key for key in await self.all_of(conversation_id, max_age_s=max_age_s) if key not in self._useless]

    async def everything(self) -> list[TailKey]:
        """Return all tails, as they are now. Raises ``StorageUnavailable``."""
        await self._look(0)
        return sorted(self._there())

    async def all_of(self, conversation_id: UUID, *, max_age_s: float | None = None) -> list[TailKey]:
        """Return all tails of a conversation. Raises ``StorageUnavailable``."""
        await self._look(self._max_age_s if max_age_s is None else max_age_s)
        return [key for key in self._there() if key.conversation_id == conversation_id]

    def _there(self) -> set[TailKey]:
        return (self._mine | self._listed) - self._gone.keys()

    async def read(self, keys: Iterable[TailKey]) -> Mapping[TailKey, bytes]:
        """Read tails; those that are gone by now are left out. Raises ``StorageUnavailable``."""
        read = {key: await self._bucket.read(str(key)) for key in keys}
        return {key: data for key, data in read.items() if data is not None}

    async def write(self, conversation: Conversation, *, base: str, waiting: int) -> bool:
        """Write the last ``waiting`` messages of a conversation, unless they are too large; return whether it did.

        Raises ``StorageUnavailable``.
        """
        part = conversation.model_copy(update={"messages": conversation.messages[-waiting:]})
        data, summary = document.encode(part), pagination.summary(conversation)
        if len(data) > MAX_TAIL_BYTES:
            return False
        key = TailKey(conversation.id, new_id().hex, base)
        facts = summary.model_dump(mode="json", exclude={"id"})
        earlier = [one for one in self._mine | self._listed if one.conversation_id == conversation.id]
        try:
            await self._bucket.write(str(key), data, content_type="application/json", facts=facts)
        except StorageUnavailable:
            self._unsure.add(key)  # the answer may have been lost
            raise
        self._mine.add(key)
        self._remember(key, summary)
        self.drop(earlier)
        return True

    async def summary(self, key: TailKey) -> ConversationSummary | None:
        """Describe a conversation as it is with a tail; None where that is gone. Raises ``StorageUnavailable``."""
        found = self._summaries.get(key)
        if found is None:
            facts = await self._bucket.facts(str(key))
            if facts is None:
                self._forget([key])
                return None
            try:
                found = ConversationSummary.model_validate({**facts, "id": key.conversation_id})
            except ValidationError:  # written by something else than this package
                log.warning("a tail of a conversation cannot be read", extra={"object": str(key)})
                return None
            self._remember(key, found)
        return found

    def drop(self, keys: Iterable[TailKey]) -> None:
        """Remove, soon, tails whose messages the object holds."""
        self._useless |= dict.fromkeys(keys)
        if self._useless and (self._removing is None or self._removing.done()):
            self._removing = asyncio.create_task(self._remove_soon())

    def drop_of(self, conversation_id: UUID) -> None:
        """Remove, soon, the known tails of a conversation whose object was written."""
        self.drop(key for key in self._mine | self._listed if key.conversation_id == conversation_id)

    async def remove_written(self, conversation_id: UUID, keys: Iterable[TailKey]) -> None:
        """Remove these and others of a conversation whose object was written since. Raises ``StorageUnavailable``."""
        others = (key for key in self._useless if key.conversation_id == conversation_id)
        await self.remove([*dict.fromkeys((*keys, *others))])

    async def remove(self, keys: Sequence[TailKey], *, beside: Sequence[str] = ()) -> None:
        """Remove tails, and other objects in the same call. Raises ``StorageUnavailable``."""
        names = [*map(str, keys), *beside]
        if names:
            await self._bucket.remove(*names)
        self._forget(keys)

    async def close(self) -> None:
        """Remove what is not needed any more, once more, and stop."""
        if self._removing is not None:
            self._removing.cancel()
            await asyncio.wait({self._removing})
        await self._remove_quietly()

    async def _look(self, max_age_s: float) -> None:
        async with self._listing:
            for key in list(self._unsure):
                if await self._bucket.facts(str(key)) is not None:
                    self._mine.add(key)
                self._unsure.discard(key)
            if self._listed_at is not None and time.monotonic() - self._listed_at < max_age_s:
                return
            began_at, mine = time.monotonic(), set(self._mine)
            entries = [entry async for entry in self._bucket.entries(FOLDER, proof_age_s=PROOF_HOLDS_S)]
            self._listed = {key for key in map(_key_of, (entry.name for entry in entries)) if key is not None}
            self._listed_at = began_at
            for key in mine - self._listed:
                if await self._bucket.facts(str(key)) is None:  # another process has removed it
                    self._forget([key])

    async def _remove_soon(self) -> None:
        pause_s = GATHER_S
        while self._useless:
            await asyncio.sleep(pause_s)
            pause_s = GATHER_S if await self._remove_quietly() else RETRY_S

    async def _remove_quietly(self) -> bool:
        try:
            for keys in batched(list(self._useless), KEYS_A_CALL):
                await self.remove(keys)
        except StorageUnavailable as error:
            log.info("tails that are not needed any more are removed later", extra={"reason": str(error)})
            return False
        return True

    def _remember(self, key: TailKey, summary: ConversationSummary) -> None:
        self._summaries[key] = summary
        if len(self._summaries) > MAX_REMEMBERED:
            self._summaries.popitem(last=False)

    def _forget(self, keys: Iterable[TailKey]) -> None:
        for key in keys:
            self._gone[key] = None
            self._mine.discard(key)
            self._listed.discard(key)
            self._summaries.pop(key, None)
            self._useless.pop(key, None)
        while len(self._gone) > MAX_REMEMBERED:
            self._gone.popitem(last=False)


def is_needed(key: TailKey, stored: bytes | None) -> bool:
    """Whether a tail belongs to what is stored; once it does not, it never will."""
    return key.base == (NEW if stored is None else document.digest(stored))


def grown(stored: bytes | None, tails: Mapping[TailKey, bytes], conversation_id: UUID) -> Grown | None:
    """Put together what is stored and the newest tail that belongs to it; None where there is neither."""
    base = NEW if stored is None else document.digest(stored)
    mine = [key for key in tails if key.base == base]
    if not mine:
        return None if stored is None else Grown(stored, base, 0)
    newest = max(mine, key=lambda key: key.number)
    try:
        added = document.decode(tails[newest], conversation_id)
        before = document.decode(stored, conversation_id).messages if stored is not None else ()
    except ConversationDamaged:
        log.error("messages of a conversation cannot be read with it", extra={"object": str(newest)})
        return None if stored is None else Grown(stored, base, 0)
    fields = added.model_dump(exclude={"messages"}, exclude_unset=True)
    whole = Conversation(**fields, messages=(*before, *added.messages))
    return Grown(document.encode(whole), base, len(added.messages))


def _key_of(name: str) -> TailKey | None:
    found = _NAME.fullmatch(name)
    return TailKey(UUID(found[1]), found[2], found[3]) if found else None
