"""The upkeep of a data folder: what is wrong in it, mending that, and removing what nobody needs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from idolchat_core import (
    Conversation,
    ConversationDamaged,
    ConversationNotFound,
    Issue,
    Leftover,
    Repair,
    StorageUnavailable,
    VerificationResult,
    issues_of,
    repair_of,
    repaired,
)
from idolchat_storage_local.files import reading, writing
from idolchat_storage_local.files.data_folder import is_temporary
from idolchat_storage_local.files.disk import unavailable
from idolchat_storage_local.files.open_files import Files, Opened
from idolchat_storage_local.index.entry import Entry
from idolchat_storage_local.index.sqlite_file import IndexBroken, IndexBusy

__all__ = ["Upkeep"]

_SETTLED_S = 30
"""Age of a change from which on the index of another process has had time to be updated."""
_UPDATE_S = 1.0
"""How soon the index knows what another process does."""
_LEFT_OVER_S = 600
"""Age from which on nobody is still writing a temporary file."""
_COMPARED = ("form", "message_count", "body_end", "user_id", "character_id", "group_ids", "created_at", "updated_at")


class Upkeep:
    """Looks after the files of a data folder."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def judge(self, conversation_ids: Sequence[UUID]) -> list[VerificationResult]:
        """Read conversations from end to end and judge each; those that are gone are left out."""
        known = self._files.index.read_many(conversation_ids)
        verdicts = (self._judge(conversation_id, known.get(conversation_id)) for conversation_id in conversation_ids)
        return [verdict for verdict in verdicts if verdict is not None]

    def judge_index(self) -> list[VerificationResult]:
        """Find what the index lists and is not there."""
        self._files.index.wait_until_updated()
        missing = list(self._missing())
        if missing:
            time.sleep(_UPDATE_S)  # another process may have removed it just now
        still = [entry for entry in missing if self._files.index.read_again(UUID(entry.id)) is not None]
        return [
            VerificationResult(
                conversation_id=UUID(entry.id),
                message_count=0,
                issues=(Issue(code="index", message=f"the index lists it, and there is no file {entry.place}"),),
            )
            for entry in still
        ]

    def _missing(self) -> Iterator[Entry]:
        folder = self._files.folder
        for path in folder.folders():
            try:
                known = self._files.index.in_folder(folder.place_of(path))
            except (IndexBroken, IndexBusy):
                continue
            there = set(self._files.disk.names(path)) if self._files.disk.exists(path) else set()
            for place, entry in known.items():
                if place.rpartition("/")[2] not in there and folder.find(UUID(entry.id)) is None:
                    yield entry

    def read_anew(self, conversation_ids: Sequence[UUID]) -> None:
        """Read these files and update the index with them, whatever it knows."""
        for conversation_id in conversation_ids:
            try:
                with self._files.for_reading(conversation_id, verify=True):
                    pass
            except (ConversationNotFound, StorageUnavailable, OSError):
                continue
        self._files.index.keep_pace()

    def forget_gone(self) -> None:
        """Remove from the index what is not there."""
        for verdict in self.judge_index():
            self._files.index.forget(verdict.conversation_id)

    def read_stored(self, conversation_id: UUID) -> bytes:
        """See ``Storage.read_stored``."""
        with self._files.for_reading(conversation_id) as opened:
            return self._files.disk.read(opened.fd, self._files.disk.stat(opened.fd).st_size, 0)

    def repair(self, conversation_id: UUID, *, dry_run: bool) -> Repair:
        """See ``Storage.repair``; nobody else writes to the conversation meanwhile."""
        with self._files.for_reading(conversation_id, verify=True) as opened:
            conversation = reading.read_opened(self._files, opened, conversation_id)
            issues = _flaws(opened.entry, conversation)
        if dry_run or not issues:
            return repair_of(conversation, issues, None)
        with self._files.for_replacing(conversation_id) as opened:
            conversation = reading.read_opened(self._files, opened, conversation_id)
            issues = _flaws(opened.entry, conversation)
            if not issues:
                return repair_of(conversation, issues, None)
            kept_as = writing.replace(self._files, opened, writing.write_out(repaired(conversation)), keep=True)
        return repair_of(conversation, issues, kept_as)

    def leftovers(self, *, older_than: timedelta, dry_run: bool) -> Iterator[Leftover]:
        """Remove, and return, what dead writers left and what was set aside so long ago."""
        folder, oldest = self._files.folder, older_than.total_seconds()
        for file in _listed(folder.damaged):
            kind = "temporary" if is_temporary(file.name) else "set_aside"
            limit_s = _LEFT_OVER_S if kind == "temporary" else oldest
            age_s = time.time() - file.stat().st_mtime
            if age_s > limit_s:
                yield self._removed(file, kind, age_s, dry_run=dry_run)
        records = [file.path for file in _listed(folder.records) if file.is_dir()]
        for path in (*folder.folders(), *records):
            for file in _listed(path):
                age_s = time.time() - file.stat().st_mtime if is_temporary(file.name) else 0
                if age_s > _LEFT_OVER_S:
                    yield self._removed(file, "temporary", age_s, dry_run=dry_run)

    def _removed(self, file: os.DirEntry[str], kind: str, age_s: float, *, dry_run: bool) -> Leftover:
        size = file.stat().st_size
        if not dry_run:
            self._files.disk.unlink(file.path)
        place = self._files.folder.place_of(file.path)
        return Leftover.model_validate({"kind": kind, "place": place, "size_bytes": size, "age_s": round(age_s, 1)})

    def _judge(self, conversation_id: UUID, known: Entry | None) -> VerificationResult | None:
        count = 0
        try:
            with self._files.for_reading(conversation_id, verify=True, changed_only=True) as opened:
                conversation = reading.read_opened(self._files, opened, conversation_id)
                count = len(conversation.messages)
                issues = (*_flaws(opened.entry, conversation), *self._index_flaws(known, opened))
        except ConversationNotFound:
            return None
        except ConversationDamaged as error:
            issues = (Issue(code="damaged", message=str(error)),)
        except OSError as error:
            issues = (Issue(code="unreadable", message=str(unavailable(error))),)
        except StorageUnavailable as error:
            issues = (Issue(code="unreadable", message=str(error)),)
        return VerificationResult(conversation_id=conversation_id, message_count=count, issues=issues)

    def _index_flaws(self, known: Entry | None, opened: Opened) -> Iterator[Issue]:
        """Return where the index said something else of a file that nobody has changed lately."""
        found = opened.entry
        if found.form != "lines" or time.time() - found.mtime_ns / 1e9 < _SETTLED_S:
            return
        if known is None:
            yield Issue(code="index", message=f"the index does not know {found.place}")
            return
        wrong = [name for name in _COMPARED if getattr(known, name) != getattr(found, name)]
        if wrong:
            said = ", ".join(f"{name} {getattr(known, name)}, not {getattr(found, name)}" for name in wrong)
            yield Issue(code="index", message=f"the index said of {found.place}: {said}")


def _flaws(entry: Entry, conversation: Conversation) -> tuple[Issue, ...]:
    issues = list(issues_of(conversation))
    if entry.form != "damaged":
        return tuple(issues)
    readable, there = len(conversation.messages), entry.message_count
    text = f"{_damaged_at(entry)}; {readable:,} messages can be read" + (f" of {there:,}" if there > readable else "")
    return (Issue(code="damaged", message=text), *(issue for issue in issues if issue.code != "damaged"))


def _damaged_at(entry: Entry) -> str:
    return f"{entry.place}, {entry.problem}"


def _listed(path: str) -> list[os.DirEntry[str]]:
    if not Path(path).is_dir():
        return []
    with os.scandir(path) as found:
        return sorted(found, key=lambda file: file.name)
