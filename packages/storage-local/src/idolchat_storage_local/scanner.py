"""Finds what changed in the data folder while nobody looked: after a crash, or files that were put there."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from idolchat_core import ConversationDamaged, ConversationNotFound, StorageError, StorageUnavailable
from idolchat_storage_local.clean_shutdown import CleanShutdown
from idolchat_storage_local.files.data_folder import conversation_id_of, is_temporary
from idolchat_storage_local.files.open_files import Files
from idolchat_storage_local.index.entry import Entry
from idolchat_storage_local.index.sqlite_index import IndexBroken, IndexBusy
from idolchat_storage_local.scan_rounds import ScanRounds

__all__ = ["Scanner"]

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 1.0
"""How long to wait before what could not be read is tried again; twice as long after each attempt."""
_LONGEST_PAUSE_S = 60.0
_LEFT_OVER_S = 600
"""Age from which on nobody is still writing a temporary file."""


class Scanner:
    """Compares files with the index by size and time, on a thread of its own, and reads those that differ.

    Files that a crash has torn are mended on the way.
    """

    def __init__(self, files: Files, clean_shutdown: CleanShutdown, rounds: ScanRounds, *, is_brief: bool) -> None:
        self._is_brief = is_brief
        self._files = files
        self._clean_shutdown = clean_shutdown
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._rounds = rounds
        self._whole_round = -1
        self._glancing = threading.Lock()
        self._glanced: dict[str, int] = {}
        self._missed: dict[str, str] = {}
        self._unread: set[UUID] = set()
        self._thread = threading.Thread(target=self._keep_looking, name="idolchat-scan", daemon=True)

    @property
    def finished(self) -> Future[None]:
        """See ``ScanRounds``."""
        return self._rounds.finished

    @property
    def has_all(self) -> bool:
        """Return whether there is nothing that could not be read when it was looked at."""
        return not (self._missed or self._unread)

    def read_unread(self) -> bool:
        """Read what could not be read before, up to the first file that still cannot; return whether none is left."""
        return all(self._can_be_read(conversation_id) for conversation_id in list(self._unread))

    def start(self) -> None:
        """Scan the data folder for the first time."""
        self._wanted.set()
        self._thread.start()

    def on_broken(self) -> None:
        """See ``Watcher``."""
        self._rounds.lose()
        self._clean_shutdown.lose()

    def on_made_anew(self) -> None:
        """Scan the data folder once more, from the beginning: what a running scan has noted may be lost."""
        self._rounds.restart()
        self._wanted.set()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()

    def glance(self) -> None:
        """Index files that were put where the original service kept them, since the last time."""
        folder = self._files.folder
        with self._glancing:
            for path in (folder.root, folder.conversations):
                with suppress(OSError):
                    changed_at = Path(path).stat().st_mtime_ns
                    if self._glanced.get(path) != changed_at and self._scan(path) is None:
                        self._glanced[path] = changed_at

    def _keep_looking(self) -> None:
        if self._is_brief:
            self._believe()
        pause_s = _FIRST_PAUSE_S
        while True:
            is_whole = self._wanted.wait(None if self.has_all else pause_s)
            if is_whole:
                self._wanted.clear()
            if self._closing.is_set():
                return
            self._look(is_whole=is_whole)
            pause_s = _FIRST_PAUSE_S if is_whole else min(2 * pause_s, _LONGEST_PAUSE_S)

    def _look(self, *, is_whole: bool) -> None:
        """Scan all of it, or what could not be read the last time."""
        this_round = self._rounds.number
        self._files.index.check()
        self._look_through(self._folders() if is_whole else list(self._missed))
        for conversation_id in list(self._unread):
            self._can_be_read(conversation_id)
        if self._closing.is_set():
            return
        if is_whole:
            self._tidy()
            self._whole_round = this_round
        if this_round == self._whole_round and self._rounds.finish(this_round, self._problem()) and self.has_all:
            self._clean_shutdown.looked(this_round)

    def _believe(self) -> None:
        """Trust the index but for folders that changed, where that can be done: no other look is needed.

        Nor is all of the index read, which takes the longer the more there is: a fault in it shows where it is asked.
        """
        this_round, changed = self._rounds.number, self._clean_shutdown.changed()
        if changed is None:
            return
        self._look_through(changed)
        if self._closing.is_set() or not self.has_all:
            return
        self._wanted.clear()
        if not self._rounds.finish(this_round) or self._closing.is_set():
            self._wanted.set()

    def _can_be_read(self, conversation_id: UUID) -> bool:
        try:
            with suppress(ConversationNotFound), self._files.for_reading(conversation_id):
                pass
        except (OSError, StorageError):
            return False
        self._unread.discard(conversation_id)
        return True

    def _look_through(self, paths: Iterable[str]) -> None:
        for path in paths:
            if self._closing.is_set():
                return
            problem = self._scan(path)
            if problem is not None:
                self._missed[path] = problem
            else:
                self._missed.pop(path, None)

    def _problem(self) -> StorageUnavailable | None:
        for path, reason in self._missed.items():
            return StorageUnavailable(f"{path} cannot be looked through: {reason}")
        return None

    def _folders(self) -> Iterator[str]:
        folder = self._files.folder
        yield folder.root
        yield folder.conversations
        yield from (f"{folder.conversations}/{number:02x}" for number in range(256))

    def _scan(self, path: str) -> str | None:
        """Scan a folder, and return the error that kept it from being read."""
        try:
            self._files.folder.require()
            known = self._files.index.in_folder(self._files.folder.place_of(path))
            found = self._look_at(path, known)
            for place in known.keys() - found:
                self._look_for(known[place])
        except (IndexBroken, IndexBusy, OSError, StorageError) as error:
            log.warning("a folder could not be looked through", extra={"folder": path, "reason": str(error)})
            return str(error)
        return None

    def _look_at(self, path: str, known: dict[str, Entry]) -> set[str]:
        folder = self._files.folder
        found = set()
        for file in _listed(path):
            if self._closing.is_set():
                return set(known)
            conversation_id = conversation_id_of(file.name)
            if conversation_id is not None:
                place = f"{folder.place_of(path)}/{file.name}"
                found.add(place)
                with suppress(FileNotFoundError):
                    self._compare(conversation_id, file, place, known.get(place))
            elif is_temporary(file.name):
                self._remove_if_left_over(file)
        return found

    def _compare(self, conversation_id: UUID, file: os.DirEntry[str], place: str, entry: Entry | None) -> None:
        status = _status_of(file)
        if entry is not None and (entry.length, entry.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return
        # What an index that was made anew has lost may be known still, and must be read all the same.
        must_verify = self._rounds.number > 0 if entry is None else entry.length == status.st_size
        try:
            with self._files.for_reading(conversation_id, verify=must_verify):
                self._unread.discard(conversation_id)
        except ConversationNotFound:
            return
        except ConversationDamaged as error:
            self._note_damaged(conversation_id, place, str(error), status)
        except (OSError, StorageError) as error:
            log.warning("a conversation could not be read", extra={"file": file.name, "reason": str(error)})
            self._unread.add(conversation_id)
            if entry is None:
                # An index that was made anew has lost what may be remembered still.
                known = self._files.index.known(conversation_id) or Entry.of_unread(
                    conversation_id, place, problem=str(error), mtime_ns=status.st_mtime_ns
                )
                self._files.index.note(conversation_id, known)

    def _note_damaged(self, conversation_id: UUID, place: str, problem: str, status: os.stat_result) -> None:
        """List what has a document's name and is no file: it is not gone, and what is known of its owner stays."""
        log.warning("a conversation has no file", extra={"place": place})
        known = self._files.index.known(conversation_id) or Entry.of_unread(
            conversation_id, place, problem=problem, mtime_ns=status.st_mtime_ns
        )
        entry = known._replace(form="damaged", length=status.st_size, mtime_ns=status.st_mtime_ns, problem=problem)
        self._files.index.note(conversation_id, entry)

    def _look_for(self, entry: Entry) -> None:
        """Forget a conversation whose file is gone."""
        conversation_id = UUID(entry.id)
        if self._files.folder.find(conversation_id) is None:
            self._files.index.forget(conversation_id)

    def _tidy(self) -> None:
        folder = self._files.folder
        with suppress(OSError):
            for path in (
                folder.damaged,
                folder.run,
                *(entry.path for entry in _listed(folder.records) if entry.is_dir()),
            ):
                for file in _listed(path):
                    if is_temporary(file.name):
                        self._remove_if_left_over(file)

    def _remove_if_left_over(self, file: os.DirEntry[str]) -> None:
        """Remove a temporary file whose writer has died."""
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _LEFT_OVER_S:
                self._files.disk.unlink(file.path)


def _status_of(file: os.DirEntry[str]) -> os.stat_result:
    """Describe a file, or a link that leads nowhere. Raises ``FileNotFoundError`` where it is gone, ``OSError``."""
    try:
        return file.stat()
    except OSError:
        return file.stat(follow_symlinks=False)


def _listed(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return list(found)
    except FileNotFoundError:
        return []
