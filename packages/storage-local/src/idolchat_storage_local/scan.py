"""Finds what changed in the data folder while nobody looked: after a crash, or files that were put there."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from idolchat_core.errors import StorageError
from idolchat_storage_local.entry import Entry
from idolchat_storage_local.files import Files
from idolchat_storage_local.folder import conversation_id_of, is_temporary
from idolchat_storage_local.index import IndexBroken, IndexBusy
from idolchat_storage_local.trust import Trust

__all__ = ["Scanner"]

log = logging.getLogger(__name__)

_LEFT_OVER_S = 600
"""Age from which on nobody is still writing a temporary file."""


class Scanner:
    """Compares files with the index by size and time, on a thread of its own, and reads those that differ.

    Files that a crash has torn are mended on the way.
    """

    def __init__(self, files: Files, trust: Trust, *, is_brief: bool) -> None:
        self._is_brief = is_brief
        self._files = files
        self._trust = trust
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._round = 0
        self._glancing = threading.Lock()
        self._glanced: dict[str, int] = {}
        self._thread = threading.Thread(target=self._keep_looking, name="idolchat-scan", daemon=True)
        self.finished: Future[None] = Future()
        """Done when the index is as the files are; another one after the index was made anew."""

    def start(self) -> None:
        """Look through the folder for the first time."""
        self._wanted.set()
        self._thread.start()

    def on_broken(self) -> None:
        """See ``Watcher``."""
        self._round += 1
        if self.finished.done():
            self.finished = Future()

    def on_made_anew(self) -> None:
        """Look through the folder once more, from the beginning."""
        self._wanted.set()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()

    def glance(self) -> None:
        """Notice files that were put where the original service kept them, since the last time."""
        folder = self._files.folder
        with self._glancing:
            for path in (folder.root, folder.conversations):
                with suppress(OSError):
                    changed_at = Path(path).stat().st_mtime_ns
                    if self._glanced.get(path) != changed_at:
                        self._scan(path)
                        self._glanced[path] = changed_at

    def _keep_looking(self) -> None:
        if self._is_brief:
            self._believe()
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closing.is_set():
                return
            this_round = self._round
            self._files.catalogue.check()
            for path in self._folders():
                if self._closing.is_set():
                    return
                self._scan(path)
            self._tidy()
            if this_round == self._round:
                if not self.finished.done():
                    self.finished.set_result(None)
                self._trust.looked()

    def _believe(self) -> None:
        """Take the index at its word, but for folders that changed, where that can be done: no other look is needed."""
        this_round, changed = self._round, self._trust.changed()
        if changed is None:
            return
        for path in changed:
            if self._closing.is_set():
                return
            self._scan(path)
        if this_round == self._round:
            self._wanted.clear()
            self.finished.set_result(None)
            if self._closing.is_set():
                self._wanted.set()

    def _folders(self) -> Iterator[str]:
        folder = self._files.folder
        yield folder.root
        yield folder.conversations
        yield from (f"{folder.conversations}/{number:02x}" for number in range(256))

    def _scan(self, path: str) -> None:
        try:
            known = self._files.catalogue.in_folder(self._files.folder.place_of(path))
            found = self._look_at(path, known)
            for place in known.keys() - found:
                self._look_for(known[place])
        except (IndexBroken, IndexBusy, OSError, StorageError) as error:
            log.warning("a folder could not be looked through", extra={"folder": path, "reason": str(error)})

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
                self._compare(conversation_id, file, known.get(place))
            elif is_temporary(file.name):
                self._remove_if_left_over(file)
        return found

    def _compare(self, conversation_id: UUID, file: os.DirEntry[str], entry: Entry | None) -> None:
        try:
            status = file.stat()
            if entry is not None and (entry.length, entry.mtime_ns) == (status.st_size, status.st_mtime_ns):
                return
            is_same_size = entry is not None and entry.length == status.st_size
            with self._files.for_reading(conversation_id, doubted=is_same_size):
                pass
        except (OSError, StorageError) as error:
            log.warning("a conversation could not be read", extra={"file": file.name, "reason": str(error)})

    def _look_for(self, entry: Entry) -> None:
        """Forget a conversation whose file is gone."""
        conversation_id = UUID(entry.id)
        if self._files.folder.find(conversation_id) is None:
            self._files.catalogue.forget(conversation_id)

    def _tidy(self) -> None:
        folder = self._files.folder
        with suppress(OSError):
            for path in (folder.damaged, *(entry.path for entry in _listed(folder.records) if entry.is_dir())):
                for file in _listed(path):
                    if is_temporary(file.name):
                        self._remove_if_left_over(file)

    def _remove_if_left_over(self, file: os.DirEntry[str]) -> None:
        """Remove a temporary file whose writer has died."""
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _LEFT_OVER_S:
                self._files.disk.unlink(file.path)


def _listed(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return list(found)
    except FileNotFoundError:
        return []
