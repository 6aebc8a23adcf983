"""Find conversations in archives, of which none is unpacked that would fill the memory or the disk."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import zipfile
import zlib
from pathlib import PurePath
from tempfile import SpooledTemporaryFile
from typing import IO

from idolchat_cli.conversations.importing.candidate import Candidate, Findings, Skipped
from idolchat_cli.conversations.importing.formats import UNKNOWN
from idolchat_cli.conversations.importing.texts import find_in_text
from idolchat_cli.files import HELD_BYTES

__all__ = [
    "UNPACKING_ERRORS",
    "find_in_tar",
    "find_in_zip",
    "is_archive",
    "is_beside",
    "is_json",
    "no_json",
]

_OURS = "idolchat-export.json"
_JSON = (".json", ".jsonl", ".ndjson")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_BESIDE = frozenset(
    {
        "conversation_asset_file_names", "export_manifest", "group_chats", "library_files", "manifest", "memories",
        "message_feedback", "meta", "model_comparisons", "projects", "settings", "shared_conversations", "shopping",
        "sora", "user", "user_settings", "users",
    }
)  # fmt: skip
"""Names of files beside the conversations in the exports of ChatGPT, Claude and RisuAI."""

_BOMB_BYTES = 64 << 20
_BOMB_RATIO = 100
"""Text shrinks to a tenth, repeated text to a fiftieth: what grows more than this was made to fill a memory."""

_ENCRYPTED = 0x1
"""APPNOTE.TXT of PKWARE, 4.4.4: bit 0 of the general purpose flags."""

UNPACKING_ERRORS = (
    OSError, EOFError, NotImplementedError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError
)  # fmt: skip


_NO_CONVERSATION = "file without a conversation in a form that is known"


def find_in_zip(stream: IO[bytes], source: str) -> Findings:
    """Find what is in a ZIP archive."""
    yield from _of_archive(_in_zip(stream, source))


def find_in_tar(stream: IO[bytes], source: str) -> Findings:
    """Find what is in a tar archive, compressed or not."""
    yield from _of_archive(_in_tar(stream, source))


def is_json(name: str) -> bool:
    """Return whether a file may hold conversations, by its name."""
    return name.lower().endswith(_JSON)


def is_archive(name: str) -> bool:
    """Return whether a file is an archive, by its name."""
    return name.lower().endswith(_ARCHIVES)


def is_beside(name: str) -> bool:
    """Return whether a file stands beside the conversations in an export, by its name."""
    return PurePath(name).stem in _BESIDE


def no_json(source: str) -> Skipped:
    """Return that a file is skipped for its name."""
    return Skipped(source, "file whose name does not end with .json or .jsonl", is_lost=False)


def _of_archive(findings: Findings) -> Findings:
    """Count files without conversations as no loss in an archive that has some: exports contain other files, too."""
    others: list[Skipped] = []
    has_some = False
    for finding in findings:
        has_some = has_some or isinstance(finding, Candidate)
        if isinstance(finding, Skipped) and finding.reason == _NO_CONVERSATION:
            others.append(finding)
        else:
            yield finding
    yield from (other._replace(is_lost=other.is_lost and not has_some) for other in others)


def _in_zip(stream: IO[bytes], source: str) -> Findings:
    stream.seek(0, 2)
    allowed = _allowed_bytes(stream.tell())
    with zipfile.ZipFile(stream) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if sum(member.file_size for member in members if is_json(member.filename)) > allowed:
            yield _bomb(source)
            return
        for member in members:
            place = f"{source}, {member.filename}"
            if not is_json(member.filename):
                yield no_json(place)
            elif member.flag_bits & _ENCRYPTED:
                yield Skipped(place, "file that is locked by a password")
            else:
                with archive.open(member) as content:
                    yield from _in_member(content, source, member.filename)


def _in_tar(stream: IO[bytes], source: str) -> Findings:
    stream.seek(0, 2)
    left = _allowed_bytes(stream.tell())
    stream.seek(0)
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            left -= member.size
            if left < 0:
                yield _bomb(source)
                return
            content = archive.extractfile(member) if is_json(member.name) else None
            if content is None:
                if member.isfile():
                    yield no_json(f"{source}, {member.name}")
                continue
            with SpooledTemporaryFile(HELD_BYTES) as held:  # what is compressed as one can be read once, and forwards
                shutil.copyfileobj(content, held)
                held.seek(0)
                yield from _in_member(held, source, member.name)


def _allowed_bytes(archive_bytes: int) -> int:
    return max(_BOMB_BYTES, archive_bytes * _BOMB_RATIO)


def _bomb(source: str) -> Skipped:
    advice = f"it would grow to more than {_BOMB_RATIO} times its size; unpack it yourself if you trust it"
    return Skipped(source, "archive that is not unpacked", detail=advice)


def _in_member(stream: IO[bytes], source: str, name: str) -> Findings:
    path = PurePath(name)
    if path.name == _OURS:
        return
    place = f"{source}, {name}"
    unknown: list[Skipped] = []
    has_some = False
    for finding in find_in_text(stream, place, path.stem):
        has_some = has_some or isinstance(finding, Candidate)
        if isinstance(finding, Skipped) and finding.reason == UNKNOWN:
            unknown.append(finding)
        else:
            yield finding
    if has_some:
        yield from unknown
    elif unknown:
        yield Skipped(place, _NO_CONVERSATION, is_lost=not is_beside(name))
