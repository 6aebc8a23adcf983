"""Cards in PNG and APNG files: text chunks ``ccv3`` (V3) and ``chara`` (V1 and V2)."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping

from idolchat_characters.cards.archive_paths import safe_path
from idolchat_characters.cards.container import CardText, Container
from idolchat_characters.cards.encoded_text import from_base64, inflate, is_plain_json
from idolchat_characters.cards.limits import CardLimits
from idolchat_characters.cards.png_chunks import Chunk, chunk, read_chunks
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Findings

__all__ = ["asset_paths", "read_png", "with_cards"]

KEYWORDS = ("ccv3", "chara")
"""In the order in which they count; compared without regard to case, as SillyTavern does."""

ASSET_KEYWORD = "chara-ext-asset_"
"""Begins the keyword of a chunk that holds an asset, followed by its path, with a colon or without (RisuAI)."""


def read_png(content: bytes, *, limits: CardLimits, findings: Findings) -> Container:
    """Find the card of a PNG. Raises ``CardRefused`` where there is none."""
    chunks = list(read_chunks(content, limits))
    _check_end(content, chunks, findings)
    first: dict[str, Chunk] = {}
    for one in chunks:
        keyword = one.keyword.lower()
        if keyword in KEYWORDS and keyword in first:
            findings.warn(f"chunk {keyword}", "is there more than once; the first is taken")
        elif keyword in KEYWORDS:
            first[keyword] = one
    texts = _readable([first[keyword] for keyword in KEYWORDS if keyword in first], limits, findings)
    if not texts:
        raise CardRefused(_no_card(chunks), place="file")
    assets = [one for one in chunks if one.keyword.startswith(ASSET_KEYWORD)]
    files = _files(assets, findings)
    image = _without(content, [*_cards(chunks), *assets], chunks[-1].end)
    return Container(format="png", texts=texts, files=files, image=image)


def with_cards(image: bytes, cards: Mapping[str, bytes], *, limits: CardLimits) -> bytes:
    """Write JSON texts by their keywords into a PNG, in place of any that it has; all its other bytes stay.

    They stand before IEND, or where a PNG is cut, behind its last whole chunk.
    """
    chunks = list(read_chunks(image, limits))
    if not chunks:
        raise CardRefused("is a PNG without any whole chunk: give another", place="image")
    written = [chunk(b"tEXt", _base64_text(keyword, text)) for keyword, text in cards.items()]
    at = chunks[-1].start if chunks[-1].type == b"IEND" else chunks[-1].end
    return b"".join([_without(image, _cards(chunks), at), *written, image[at:]])


def asset_paths(image: bytes, *, limits: CardLimits) -> frozenset[str]:
    """The paths of the assets that chunks of a PNG hold."""
    return frozenset(_asset_path(one) for one in read_chunks(image, limits) if one.keyword.startswith(ASSET_KEYWORD))


def _check_end(content: bytes, chunks: list[Chunk], findings: Findings) -> None:
    if not chunks:
        raise CardRefused("is a PNG without any whole chunk: it was cut; get the original", place="file")
    if chunks[-1].type != b"IEND":
        findings.warn("file", f"is a PNG that is cut at byte {chunks[-1].end}: its image may not show")
    elif chunks[-1].end < len(content):
        findings.warn(
            "file", f"has {len(content) - chunks[-1].end:,} bytes after the end of the PNG, which are not read"
        )


def _readable(found: Iterable[Chunk], limits: CardLimits, findings: Findings) -> tuple[CardText, ...]:
    """Decode what can be decoded; raises what is wrong with the first where nothing can."""
    texts: list[CardText] = []
    refusals: list[CardRefused] = []
    for one in found:
        try:
            texts.append(_card_text(one, limits, findings))
        except CardRefused as refusal:
            refusals.append(refusal)
    if refusals and not texts:
        raise refusals[0]
    for refused in refusals:
        findings.warn(refused.param or "file", f"cannot be read; the other chunk is taken ({refused})")
    return tuple(texts)


def _card_text(one: Chunk, limits: CardLimits, findings: Findings) -> CardText:
    place, most = f"chunk {one.keyword.lower()}", limits.text_bytes
    if len(one.data) > most:
        raise CardRefused(f"holds {len(one.data):,} bytes; at most {most:,} are read", place=place)
    if not one.is_intact:
        findings.warn(place, "has a wrong checksum: it was changed or damaged; check the character")
    text = _unpacked(one, place, limits, findings)
    if is_plain_json(text):
        findings.warn(place, "holds plain JSON instead of base64")
        return CardText(place, text)
    return CardText(place, from_base64(text, place))


def _unpacked(one: Chunk, place: str, limits: CardLimits, findings: Findings) -> bytes:
    text, most = one.text, limits.text_bytes
    if one.type == b"tEXt":
        return text
    findings.warn(place, f"is of type {one.type.decode()} instead of tEXt, which few applications read")
    if one.type == b"zTXt":
        return inflate(text[1:], place, max_bytes=most)
    is_packed, _, rest = text[:1] == b"\1", text[1:2], text[2:]
    _language, _, rest = rest.partition(b"\0")
    _translated, _, rest = rest.partition(b"\0")
    return inflate(rest, place, max_bytes=most) if is_packed else rest


def _files(assets: Iterable[Chunk], findings: Findings) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for one in assets:
        try:
            path = safe_path(_asset_path(one))
            files.setdefault(path, from_base64(one.text, f"chunk {one.keyword}"))
        except CardRefused as refusal:
            findings.warn(refusal.param or "file", f"is left out: {refusal}")
    return files


def _asset_path(one: Chunk) -> str:
    return one.keyword[len(ASSET_KEYWORD) :].removeprefix(":")


def _cards(chunks: Iterable[Chunk]) -> list[Chunk]:
    return [one for one in chunks if one.keyword.lower() in KEYWORDS]


def _without(content: bytes, removed: Iterable[Chunk], end: int) -> bytes:
    """Copy a file up to ``end``, without some chunks."""
    view, parts, at = memoryview(content), [], 0
    for one in sorted(removed, key=lambda one: one.start):
        parts.append(view[at : one.start])
        at = one.end
    return b"".join([*parts, view[at:end]])


def _base64_text(keyword: str, text: bytes) -> bytes:
    return keyword.encode() + b"\0" + binascii.b2a_base64(text, newline=False)


def _no_card(chunks: Iterable[Chunk]) -> str:
    keywords = sorted({one.keyword[:40] for one in chunks if one.keyword})
    found = f"it has text chunks {', '.join(keywords[:5])}" if keywords else "it has no text chunks at all"
    return f"holds no card: no text chunk chara or ccv3; {found}. Many sites and editors remove it: get the original"
