"""The prompt source of characters."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from time import perf_counter
from typing import ClassVar, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from idolchat_characters.books import BookLibrary, BookSummary, books_of
from idolchat_characters.kept_records import REFRESH_S
from idolchat_characters.library import CharacterLibrary, CharacterRecord, Viewer, library_of
from idolchat_characters.lore import ScanResult
from idolchat_characters.macros import MacroContext, tells_of_turn
from idolchat_characters.personas import Persona, PersonaLibrary, personas_of
from idolchat_characters.prompt.card_parts import LateText, lasting_parts, late_texts
from idolchat_characters.prompt.lore_parts import lore_parts, outlets
from idolchat_characters.prompt.macro_contexts import in_prefix, in_tail
from idolchat_characters.prompt.said import SaidInTurn
from idolchat_characters.prompt.upkeep import Upkeep
from idolchat_characters.scanning import BranchStates, CompiledBooks, LoreScanner, LoreTurn, compiled_of
from idolchat_core import PromptPart, PromptSource, PromptTurn, Services, Storage, StorageUnavailable, StoredId

__all__ = ["CharacterSource", "open_character_source"]

log = logging.getLogger(__name__)

MAX_CONVERSATIONS = 512
MAX_KEYS_ON_LOOP = 50
"""Of books that were not scanned yet; after that, the time that the last scan took decides."""

MAX_SCAN_ON_LOOP_S = 0.002
PATIENCE_S = 0.2
"""How long a turn waits for its lore; the engine waits 0.25 s for all of it."""


class _Lasting(NamedTuple):
    """What stays the same for a conversation: its parts, what macros tell in it, and what tells of each turn anew."""

    parts: Sequence[PromptPart]
    context: MacroContext
    varying: Sequence[LateText]


class CharacterSource(PromptSource):
    """Says who the character of the conversation is, and whom the user plays.

    A conversation without a character that its user may use gets nothing. Lore that is not ready in time is left out
    of a turn, its card never.
    """

    name: ClassVar[str] = "characters"
    max_share: ClassVar[float] = 0.1

    def __init__(self, storage: Storage) -> None:
        self._library: CharacterLibrary = library_of(storage)
        self._personas: PersonaLibrary = personas_of(storage)
        self._books: BookLibrary = books_of(storage)
        self._compiled: CompiledBooks = compiled_of(storage)
        self._states = BranchStates(storage)
        self._lasting: OrderedDict[object, _Lasting] = OrderedDict()
        self._scans_s: WeakKeyDictionary[LoreScanner, float] = WeakKeyDictionary()

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Return the card's parts, the persona and the lore of this turn."""
        character_id = turn.next_character_id or turn.character_id
        if not isinstance(character_id, UUID):
            return ()
        record = await self._library.get(character_id, Viewer.of(turn.user_id), max_age_s=REFRESH_S)
        if record is None:
            return ()
        persona = await self._personas.played(turn.user_id, turn.persona_id)
        books = await self._books.active(turn.user_id, turn.conversation_id)
        names = await self._names(turn) if len(turn.character_ids) > 1 else {}
        lasting = self._lasting_of(record, persona, turn, tuple(names.values()))
        has_books = bool(books or record.character.character_book)
        if not has_books and not lasting.varying:
            return lasting.parts
        tail = in_tail(lasting.context, turn)
        found = await self._in_time(record, books, turn, _lore_turn(record, turn, tail, names)) if has_books else None
        if found is not None:
            tail = replace(tail, outlets=outlets(found))
        late = [text.part(lasting.context, tail, source=self.name) for text in lasting.varying]
        parts = [*lasting.parts, *(part for part in late if part is not None)]
        if found is not None:
            servers = {str(book.id) for book in books if book.scope == "server"}
            parts += lore_parts(found, turn, source=self.name, character_id=record.id, servers=servers)
        return parts

    async def _names(self, turn: PromptTurn) -> dict[StoredId, str]:
        """Return the names of those who take part in a conversation of several characters."""
        ids = [held for held in turn.character_ids if isinstance(held, UUID)]
        records = [await self._library.get(held, Viewer.of(turn.user_id), max_age_s=REFRESH_S) for held in ids]
        return {record.id: record.character.spoken_name for record in records if record is not None}

    def _lasting_of(
        self, record: CharacterRecord, persona: Persona | None, turn: PromptTurn, group: tuple[str, ...]
    ) -> _Lasting:
        """Return what is made once for a conversation, a card, a persona and a model."""
        played = (persona.id, persona.updated_at) if persona is not None else None
        at = (turn.conversation_id, record.id, record.version, played, turn.model, turn.window_tokens, group)
        if at not in self._lasting:
            prefix = in_prefix(record.character, persona, turn)
            prefix = replace(prefix, group=group) if group else prefix
            parts = tuple(lasting_parts(record.character, prefix, source=self.name))
            varying = [one for one in late_texts(record.character) if tells_of_turn(one.template, prefix)]
            self._lasting[at] = _Lasting(parts, prefix, varying)
            if len(self._lasting) > MAX_CONVERSATIONS:
                self._lasting.popitem(last=False)
        self._lasting.move_to_end(at)
        return self._lasting[at]

    async def _in_time(
        self, record: CharacterRecord, books: Sequence[BookSummary], turn: PromptTurn, lore_turn: LoreTurn
    ) -> ScanResult | None:
        """Return what is found in the books of a turn, or nothing where it takes too long."""
        asked = asyncio.create_task(self._lore(record, books, turn, lore_turn))
        try:
            await asyncio.wait({asked}, timeout=PATIENCE_S)
        finally:
            asked.cancel()
        if asked.done() and not asked.cancelled():
            return asked.result()
        facts = {"character_id": str(record.id), "conversation_id": str(turn.conversation_id)}
        log.warning("the lore of a turn was not ready in time and is left out", extra=facts)
        return None

    async def _lore(
        self, record: CharacterRecord, books: Sequence[BookSummary], turn: PromptTurn, lore_turn: LoreTurn
    ) -> ScanResult | None:
        try:
            scanner = await self._compiled.get(record, books)
        except StorageUnavailable as error:
            log.warning("the lorebooks of a turn cannot be read", extra={"reason": str(error)})
            return None
        return await self._scanned(scanner, lore_turn, turn)

    async def _scanned(self, scanner: LoreScanner, lore_turn: LoreTurn, turn: PromptTurn) -> ScanResult:
        """Scan, off the event loop where that takes long."""
        state, is_exact = await self._states.before(scanner, lore_turn)
        took_s = self._scans_s.get(scanner)
        is_long = scanner.key_count > MAX_KEYS_ON_LOOP if took_s is None else took_s > MAX_SCAN_ON_LOOP_S
        started_at = perf_counter()
        found = await asyncio.to_thread(scanner.scan, lore_turn, state) if is_long else scanner.scan(lore_turn, state)
        self._scans_s[scanner] = perf_counter() - started_at
        if scanner.remembers and is_exact:
            await self._states.remember(lore_turn, found.state, turn.user_id)
        return found

    def upkeep(self, storage: Storage) -> Upkeep:
        """Return what is done beside the turns."""
        return Upkeep(storage, library=self._library, books=self._books, states=self._states, compiled=self._compiled)

    async def close(self) -> None:
        """Wait for books that are being compiled."""
        await self._states.close()
        await self._compiled.close()


def _lore_turn(
    record: CharacterRecord, turn: PromptTurn, tail: MacroContext, names: Mapping[StoredId, str]
) -> LoreTurn:
    return LoreTurn(
        conversation_id=turn.conversation_id,
        said=SaidInTurn(turn),
        start=turn.history[0].position if turn.history else 0,
        character=record.character,
        context=tail,
        trigger=turn.generation,
        window_tokens=turn.window_tokens,
        count=turn.count,
        names=names,
    )


@asynccontextmanager
async def open_character_source(services: Services) -> AsyncGenerator[PromptSource]:
    """Open the source over the characters of the chosen storage."""
    storage = services.storage
    try:
        if starter := await library_of(storage).offer_starter():
            log.info("the character that comes with idolchat was added", extra={"slug": starter.character.slug})
    except StorageUnavailable as error:  # a server starts without its storage, and serves when that is back
        log.warning("whether there are characters is looked at by the next start", extra={"reason": str(error)})
    source = CharacterSource(storage)
    upkeep = asyncio.create_task(source.upkeep(storage).run())
    try:
        yield source
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        await source.close()
