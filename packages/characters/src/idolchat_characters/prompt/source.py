"""The prompt source of characters."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import ClassVar
from uuid import UUID

from idolchat_characters.library import CharacterLibrary, CharacterRecord, Viewer, library_of
from idolchat_characters.macros import MacroContext
from idolchat_characters.prompt.card_parts import card_parts
from idolchat_characters.prompt.lore_parts import CharacterLore, lore_parts
from idolchat_characters.prompt.macro_contexts import in_prefix, in_tail
from idolchat_core import PromptPart, PromptSource, PromptTurn, Services, StorageUnavailable

__all__ = ["CharacterSource", "open_character_source"]

log = logging.getLogger(__name__)

MAX_COMPILED = 256
MAX_KEYS_ON_LOOP = 50
MAX_SCAN_ON_LOOP_S = 0.002


class CharacterSource(PromptSource):
    """Says who the character of the conversation is. A conversation without one that its user may use gets nothing."""

    name: ClassVar[str] = "characters"
    max_share: ClassVar[float] = 0.1

    def __init__(self, library: CharacterLibrary) -> None:
        self._library = library
        self._compiled: OrderedDict[tuple[UUID, int], asyncio.Task[CharacterLore]] = OrderedDict()
        self._scans_s: dict[tuple[UUID, int], float] = {}

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Return the card's parts and the lore of this turn."""
        character_id = turn.next_character_id or turn.character_id
        if not isinstance(character_id, UUID):
            return ()
        record = await self._library.get(character_id, Viewer.of(turn.user_id))
        if record is None:
            return ()
        prefix = in_prefix(record.character, turn)
        tail = in_tail(prefix, turn)
        parts = list(card_parts(record.character, prefix, tail, source=self.name))
        if record.character.character_book:
            parts += await self._lore(record, turn, tail)
        return parts

    async def _lore(self, record: CharacterRecord, turn: PromptTurn, tail: MacroContext) -> list[PromptPart]:
        lore, at = await self._compiled_lore(record), (record.id, record.version)
        character = record.character
        is_large = lore.key_count > MAX_KEYS_ON_LOOP or self._scans_s.get(at, 0.0) > MAX_SCAN_ON_LOOP_S
        started_at = perf_counter()
        if is_large:
            result = await asyncio.to_thread(lore.scan, character, turn, tail)
        else:
            result = lore.scan(character, turn, tail)
            self._scans_s[at] = perf_counter() - started_at
        return list(lore_parts(result, turn, source=self.name))

    async def _compiled_lore(self, record: CharacterRecord) -> CharacterLore:
        """Compile the book once for each version; a turn that cannot wait for it leaves it to the next."""
        at = (record.id, record.version)
        task = self._compiled.get(at)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(asyncio.to_thread(CharacterLore, record.id, record.character))
            self._compiled[at] = task
            if len(self._compiled) > MAX_COMPILED:
                oldest, _ = self._compiled.popitem(last=False)
                self._scans_s.pop(oldest, None)
        self._compiled.move_to_end(at)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for books that are being compiled."""
        await asyncio.gather(*self._compiled.values(), return_exceptions=True)


@asynccontextmanager
async def open_character_source(services: Services) -> AsyncGenerator[PromptSource]:
    """Open the source over the characters of the chosen storage."""
    library = library_of(services.storage)
    try:
        if removed := await library.remove_orphans():
            log.info("cards of erased characters were removed", extra={"count": removed})
        if starter := await library.offer_starter():
            log.info("the character that comes with idolchat was added", extra={"slug": starter.character.slug})
    except StorageUnavailable as error:  # a server starts without its storage, and serves when that is back
        log.warning("cards of erased characters are looked for at the next start", extra={"reason": str(error)})
    source = CharacterSource(library)
    try:
        yield source
    finally:
        await source.close()
