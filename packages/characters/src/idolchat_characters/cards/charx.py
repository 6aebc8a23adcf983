"""CHARX files: a ZIP archive with ``card.json`` at its root, by itself or behind another file (self-extracting)."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping

from idolchat_characters.cards.archive_paths import CARD_PATH, safe_path
from idolchat_characters.cards.container import CardText, Container
from idolchat_characters.cards.limits import CardLimits
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Findings

__all__ = ["is_archive", "read_charx", "write_charx"]

END_OF_DIRECTORY = b"PK\x05\x06"
DIRECTORY_ENTRY = b"PK\x01\x02"
MAX_END_BYTES = 22 + 65_535
IS_ENCRYPTED = 0x1
RATIO_FREE_BYTES = 1024 * 1024
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
EARLIEST = (1980, 1, 1, 0, 0, 0)
READABLE_FILE = (stat.S_IFREG | 0o644) << 16


def is_archive(content: bytes) -> bool:
    """Whether a file is, or ends with, a ZIP archive."""
    return content.rfind(END_OF_DIRECTORY, max(len(content) - MAX_END_BYTES, 0)) >= 0


def read_charx(content: bytes, *, limits: CardLimits, findings: Findings) -> Container:
    """Unpack a CHARX within the limits.

    Raises ``CardRefused`` where there is no card, and for the whole archive where an entry leads out of it, is a
    link, is encrypted, or unpacks to more than the limits allow.
    """
    # Counted before the directory is read, as each of its entries takes half a kilobyte then; every one has the mark.
    if content.count(DIRECTORY_ENTRY) > limits.archive_entries:
        raise CardRefused(f"has more than {limits.archive_entries:,} entries", place="file")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = _unpacked(archive, limits, findings)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise CardRefused(f"cannot be unpacked as a ZIP archive ({error}): export it anew", place="file") from error
    if content[:2] != b"PK":
        findings.warn("file", "has other bytes before the archive, which are not read")
    text = files.pop(CARD_PATH, None)
    if text is None:
        raise CardRefused(_no_card(files), place=CARD_PATH)
    return Container(format="charx", texts=(CardText(CARD_PATH, text),), files=files)


def write_charx(card: bytes, files: Mapping[str, bytes]) -> bytes:
    """Pack a card and its files; the same ones give the same bytes.

    What is large is stored as it is: mostly images, and nothing that then unpacks like a bomb.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path, content in {CARD_PATH: card, **files}.items():
            entry = zipfile.ZipInfo(path, EARLIEST)
            entry.external_attr = READABLE_FILE
            method = zipfile.ZIP_DEFLATED if len(content) < RATIO_FREE_BYTES else zipfile.ZIP_STORED
            archive.writestr(entry, content, compress_type=method)
    return written.getvalue()


def _unpacked(archive: zipfile.ZipFile, limits: CardLimits, findings: Findings) -> dict[str, bytes]:
    entries = _checked(archive.infolist(), limits, findings)
    files: dict[str, bytes] = {}
    for path, entry in entries.items():
        try:
            with archive.open(entry) as packed:
                files[path] = packed.read(entry.file_size)  # without a size, all of a lying entry is unpacked first
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
            if path == CARD_PATH:
                raise CardRefused("is damaged: export the card anew", place=path) from error
            findings.warn(f"entry {path}", "is damaged, and left out")
    return files


def _checked(entries: list[zipfile.ZipInfo], limits: CardLimits, findings: Findings) -> dict[str, zipfile.ZipInfo]:
    """The files by normalised path."""
    checked: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for entry in entries:
        path = safe_path(entry.filename)
        _check_kind(entry, path)
        total += entry.file_size
        _check_size(entry, path, total, limits)
        if path in checked:
            findings.warn(f"entry {path}", "is there more than once; the first is taken")
        elif not entry.is_dir():
            checked[path] = entry
    if card := checked.get(CARD_PATH):
        _check_card_size(card, limits)
    return checked


def _check_kind(entry: zipfile.ZipInfo, path: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise CardRefused("is a link or a device: put the file itself there", place=f"entry {path}")
    if entry.flag_bits & IS_ENCRYPTED:
        raise CardRefused("is encrypted: export the card without a password", place=f"entry {path}")
    if entry.compress_type not in METHODS:
        raise CardRefused("is packed by another method than deflate: pack it anew", place=f"entry {path}")


def _check_size(entry: zipfile.ZipInfo, path: str, total: int, limits: CardLimits) -> None:
    if entry.file_size > max(RATIO_FREE_BYTES, entry.compress_size * limits.archive_ratio):
        message = f"unpacks to more than {limits.archive_ratio} times its size"
        raise CardRefused(f"{message}: store it unpacked", place=f"entry {path}")
    if total > limits.archive_bytes:
        raise CardRefused(f"unpacks to more than {limits.archive_bytes:,} bytes: leave assets out", place="file")


def _check_card_size(entry: zipfile.ZipInfo, limits: CardLimits) -> None:
    if entry.file_size > limits.json_bytes:
        message = f"unpacks to {entry.file_size:,} bytes; at most {limits.json_bytes:,} are read"
        raise CardRefused(f"{message}: keep images beside it", place=CARD_PATH)


def _no_card(files: Mapping[str, bytes]) -> str:
    nested = sorted(path for path in files if path.lower().rpartition("/")[2] == CARD_PATH)
    if nested:
        return f"is missing: it must stand at the root of the archive by this name; there is {nested[0]}"
    return "is missing: the archive holds no card; a CHARX has card.json at its root"
