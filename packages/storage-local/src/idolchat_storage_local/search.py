"""Full-text search: the index is brought up to date when somebody searches, so that turns pay nothing for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from idolchat_core import (
    ConversationDamaged,
    ConversationNotFound,
    Leftover,
    Message,
    StorageUnavailable,
    hits_in,
    search,
)
from idolchat_core.search import Query, SearchHit, SearchResults, text_of, tokens_of
from idolchat_storage_local.files import reading
from idolchat_storage_local.files.message_replacement import Replaced
from idolchat_storage_local.files.open_files import Files, Opened
from idolchat_storage_local.index.entry import FINGERPRINT_SIZE, Entry, EntryFilter, fingerprint, in_microseconds
from idolchat_storage_local.index.fulltext import TIE_BITS, FulltextBroken, FulltextIndex, FulltextUpdate, Indexed
from idolchat_storage_local.index.sqlite_file import IndexBroken, IndexBusy, alone, remove_index

__all__ = ["SearchUnavailable", "Searcher"]

log = logging.getLogger(__name__)

_BATCH = 256
_BATCH_BYTES = 16 * 1024 * 1024


class SearchUnavailable(Exception):
    """There is no index to search in now, and there cannot be one: not everything is built or allowed everywhere."""


class _Read(NamedTuple):
    """What was read of a conversation to be indexed, and how many bytes that was."""

    update: FulltextUpdate
    size: int


class Searcher:
    """Answers searches over the files of a data folder."""

    def __init__(self, files: Files, path: str) -> None:
        self._files = files
        self._path = path
        self._fulltext: FulltextIndex | None = None
        self._opening = threading.Lock()
        self._catching_up = threading.Lock()

    def close(self) -> None:
        """Close the index, if it is open."""
        with self._opening:
            self._close()

    def search(self, query: Query, matching: EntryFilter, *, limit: int, before: str | None) -> SearchResults:
        """See ``Storage.search``. Raises ``SearchUnavailable``."""
        end = search.place(before) if before is not None else None

        def found(fulltext: FulltextIndex) -> SearchResults:
            stuck: set[str] = set()
            while self._catch_up_some(fulltext, stuck):
                pass
            return self._search(fulltext, query, matching, limit=limit, end=end)

        return self._asked(found)

    def catch_up_some(self, stuck: set[str]) -> int:
        """Index some of what changed since the last call; return how many conversations were read, 0 when none is left.

        ``stuck`` gathers those that cannot be read. Raises ``SearchUnavailable``.
        """
        return self._asked(lambda fulltext: self._catch_up_some(fulltext, stuck))

    def begin_anew(self) -> None:
        """Throw the index away; the next search makes it."""
        with self._opening, alone(self._path):
            self._close()
            remove_index(self._path)

    @contextmanager
    def unindexed(self, entry: Entry, replaced: Replaced) -> Generator[None]:
        """Remove the words of messages; within this, their conversation's file is replaced by one without them.

        They go before the file: what is in it until then would be indexed anew. Raises ``StorageUnavailable``.
        """
        with self._catching_up:
            known = self._without(entry, replaced)
            yield
            now = self._files.index.known(UUID(entry.id))
            if known is not None and now is not None and known.message_count == now.message_count:
                with suppress(SearchUnavailable):  # the conversation is then indexed anew
                    self._asked(lambda fulltext: fulltext.set_known(entry.id, _indexed(now)))

    def _without(self, entry: Entry, replaced: Replaced) -> Indexed | None:
        if not Path(self._path).exists():
            return None
        try:
            with suppress(IndexBroken):  # it is made anew then, and every conversation read again
                self._files.index.mark_stale([entry.id])
            gone = [(position, *_timed_words(message)) for position, message in replaced]
            return self._asked(lambda fulltext: fulltext.remove(entry.id, gone))
        except (SearchUnavailable, IndexBusy) as error:
            raise StorageUnavailable(
                f"the words of a message cannot be removed from the search index: {error}"
            ) from error

    def words_of_gone(self, *, dry_run: bool) -> Leftover | None:
        """Report how much the index keeps of messages that are gone, and remove the index for that."""
        with self._opening:
            try:
                self._fulltext = self._fulltext or FulltextIndex(self._path)
                gone, everything = self._fulltext.count_gone()
            except (FulltextBroken, IndexBusy):
                return None
        if not gone:
            return None
        size = Path(self._path).stat().st_size * gone // everything
        if not dry_run:
            self.begin_anew()
        return Leftover(kind="search", place=self._files.folder.place_of(self._path), size_bytes=size)

    def _asked[T](self, what: Callable[[FulltextIndex], T]) -> T:
        fulltext: FulltextIndex | None = None
        try:
            try:
                fulltext = self._open()
                return what(fulltext)
            except FulltextBroken as error:
                self._discard(fulltext, error)
                return what(self._open())
        except (FulltextBroken, OSError) as error:
            raise SearchUnavailable(str(error)) from error
        except IndexBusy as error:
            raise SearchUnavailable(str(error)) from error

    def _discard(self, fulltext: FulltextIndex | None, error: FulltextBroken) -> None:
        """Throw away an index that is broken, unless another has taken its place."""
        with self._opening, alone(self._path):
            if fulltext is not self._fulltext or (fulltext is not None and not fulltext.is_current):
                return
            log.warning("the search index is made anew from the conversations", extra={"reason": str(error)})
            self._close()
            remove_index(self._path)

    def _open(self) -> FulltextIndex:
        with self._opening:
            if self._fulltext is None or not self._fulltext.is_current:
                with alone(self._path):
                    self._fulltext = self._opened_or_made()
            return self._fulltext

    def _opened_or_made(self) -> FulltextIndex:
        if self._fulltext is not None:
            is_replaced = self._fulltext.is_replaced
            self._close()
            if not is_replaced:
                remove_index(self._path)
        try:
            return FulltextIndex(self._path)
        except FulltextBroken:
            # Everything is to be indexed then. Noted before there is an index, for we may die in between, and
            # after the other is gone: whoever still uses that one sees it, and leaves what is noted as it is.
            remove_index(self._path)
            self._files.index.mark_stale(None)
            return FulltextIndex(self._path, new=True)

    def _close(self) -> None:
        if self._fulltext is not None:
            self._fulltext.close()
            self._fulltext = None

    def _catch_up_some(self, fulltext: FulltextIndex, stuck: set[str]) -> int:
        with self._catching_up:
            return self._caught_up(fulltext, stuck)

    def _caught_up(self, fulltext: FulltextIndex, stuck: set[str]) -> int:
        index = self._files.index
        index.wait_until_updated()
        stale = [one for one in index.stale(_BATCH + len(stuck)) if one[0] not in stuck]
        known = fulltext.known([key for key, _ in stale])
        entries = index.read_many(UUID(key) for key, _ in stale)
        done: list[tuple[str, int]] = []
        update: dict[str, FulltextUpdate] = {}
        size = 0
        for key, changes in stale:
            try:
                read = self._read(key, known.get(key), entries.get(UUID(key)))
            except (OSError, StorageUnavailable) as error:
                log.warning("a conversation cannot be indexed", extra={"conversation_id": key, "reason": str(error)})
                stuck.add(key)
                continue
            done.append((key, changes))
            if read is not None:
                update[key] = read.update
                size += read.size
            if size > _BATCH_BYTES:
                break
        skipped = fulltext.update(update)
        with self._opening:
            if fulltext is not self._fulltext or not fulltext.is_current:
                raise FulltextBroken("another was made meanwhile, for which nothing was read")
        index.mark_fresh([one for one in done if one[0] not in skipped])
        return len(stale)

    def _read(self, key: str, before: Indexed | None, entry: Entry | None) -> _Read | None:
        """Read what is not indexed of a conversation; None where all is."""
        conversation_id = UUID(key)
        if before is not None and entry is not None and entry.form == "lines" and _indexed(entry) == before:
            return None
        try:
            with self._files.for_reading(conversation_id) as opened:
                if opened.footer is not None and before is not None and self._goes_on(opened, before):
                    added = self._files.disk.read(opened.fd, opened.footer.body_end - before.body_end, before.body_end)
                    messages = reading.messages_in(added)
                    return _Read(_update_of(before, _indexed(opened.entry), messages, anew=False), len(added))
                conversation = reading.read_opened(self._files, opened, conversation_id)
                now = _indexed(opened.entry)._replace(message_count=len(conversation.messages))
                return _Read(_update_of(before, now, conversation.messages, anew=True), opened.entry.length)
        except ConversationNotFound:
            return _Read(_update_of(before, None, [], anew=True), 0) if before is not None else None
        except (ConversationDamaged, ValueError):
            nothing = Indexed(0, 0, 0, None, None, None)
            return _Read(_update_of(before, nothing, [], anew=True), 0)

    def _goes_on(self, opened: Opened, before: Indexed) -> bool:
        """Return whether a file still begins with what is indexed of it."""
        entry, start = opened.entry, max(before.body_end - FINGERPRINT_SIZE, 0)
        if not before.message_count or before.body_end > entry.body_end or before.message_count > entry.message_count:
            return False
        if before[3:] != _indexed(entry)[3:]:  # owners
            return False
        there = self._files.disk.read(opened.fd, before.body_end - start, start)
        return fingerprint(there) == before.fingerprint

    def _search(
        self,
        fulltext: FulltextIndex,
        query: Query,
        matching: EntryFilter,
        *,
        limit: int,
        end: tuple[datetime, UUID, int] | None,
    ) -> SearchResults:
        hits: list[SearchHit] = []
        before = _place_before(fulltext, end)
        while len(hits) <= limit:
            rows = fulltext.find(query, matching, before=before, limit=limit + 1 - len(hits))
            if not rows:
                break
            before = rows[-1][0]
            hits += (hit for _, key, position in rows for hit in self._hit(query, UUID(key), position))
        page = hits[:limit]
        return SearchResults(data=page, next=search.cursor(page[-1]) if page and len(hits) > limit else None)

    def _hit(self, query: Query, conversation_id: UUID, position: int) -> Iterator[SearchHit]:
        """Read what was found; nothing where it has changed since."""
        try:
            page = reading.read_page(self._files, conversation_id, limit=1, before=position + 1)
        except (ConversationNotFound, ConversationDamaged):
            return iter(())
        return hits_in(page.conversation, query, start=page.start)


def _indexed(entry: Entry) -> Indexed:
    owners = (entry.user_id, entry.character_id, entry.group_ids)
    return Indexed(entry.message_count, entry.body_end, entry.fingerprint, *owners)


def _update_of(
    before: Indexed | None, now: Indexed | None, messages: Sequence[Message], *, anew: bool
) -> FulltextUpdate:
    return FulltextUpdate(before, now, list(map(_timed_words, messages)), anew)


def _timed_words(message: Message) -> tuple[int, str]:
    return in_microseconds(message.timestamp), " ".join(tokens_of(text_of(message)))


def _place_before(fulltext: FulltextIndex, end: tuple[datetime, UUID, int] | None) -> int | None:
    if end is None:
        return None
    time, conversation_id, position = end
    place = fulltext.place_of(str(conversation_id), position)
    return in_microseconds(time) << TIE_BITS if place is None else place
