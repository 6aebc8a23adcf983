"""Reading a card: from the bytes of a file to a character."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from idolchat_characters.cards.assets import EmbeddedAsset, embedded_assets
from idolchat_characters.cards.charx import is_archive, read_charx
from idolchat_characters.cards.container import CardFormat, CardText, Container
from idolchat_characters.cards.document import CardVersion, character_of
from idolchat_characters.cards.encoded_text import is_plain_json
from idolchat_characters.cards.json_text import parse_object
from idolchat_characters.cards.limits import DEFAULT_LIMITS, CardLimits
from idolchat_characters.cards.media_types import media_type_of
from idolchat_characters.cards.png import read_png
from idolchat_characters.cards.png_chunks import SIGNATURE
from idolchat_characters.cards.validation import content_problems
from idolchat_characters.cards.webp import read_webp
from idolchat_characters.character import Character
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Findings, Problem

__all__ = ["CardReading", "read_card"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardReading:
    """A card that was read.

    ``warnings`` say what was read otherwise than written, and what will not work as the author meant it. ``digest``
    is the SHA-256 of the original bytes in hexadecimal. ``assets`` are the character's files with their content;
    ``files`` everything that the file embeds, by path; ``image`` the file itself without the card, where it is one.
    """

    character: Character
    format: CardFormat
    version: CardVersion
    warnings: tuple[Problem, ...]
    digest: str
    assets: tuple[EmbeddedAsset, ...]
    files: Mapping[str, bytes]
    image: bytes | None


def read_card(content: bytes, *, limits: CardLimits = DEFAULT_LIMITS) -> CardReading:
    """Read a card V1, V2 or V3 from JSON, PNG, APNG, CHARX or WebP, by what the bytes are.

    It takes time and memory in proportion to the file and the limits, whatever the file holds; a large one takes a
    second, so that it is no work for an event loop. Raises ``CardRefused``, with the place and how to mend it.
    """
    if len(content) > limits.file_bytes:
        raise CardRefused(f"has {len(content):,} bytes; at most {limits.file_bytes:,} are read", place="file")
    findings = Findings()
    container = _container(content, limits, findings)
    character, version = _character(container.texts, limits, findings)
    for problem in content_problems(character, files=container.files, image=container.image):
        findings.warn(problem.place, problem.message)
    return CardReading(
        character=character,
        format=container.format,
        version=version,
        warnings=findings.all(),
        digest=hashlib.sha256(content).hexdigest(),
        assets=embedded_assets(character, files=container.files, image=container.image),
        files=container.files,
        image=container.image,
    )


def _container(content: bytes, limits: CardLimits, findings: Findings) -> Container:
    if content.startswith(SIGNATURE):
        return read_png(content, limits=limits, findings=findings)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return read_webp(content, limits=limits, findings=findings)
    if not is_plain_json(content) and is_archive(content):
        return read_charx(content, limits=limits, findings=findings)
    is_binary = b"\0" in content[:1024] and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if (media_type := media_type_of(content)) or is_binary:
        found = media_type or "no JSON, PNG, CHARX or WebP"
        raise CardRefused(f"is {found}, and holds no card: get the original", place="file")
    return Container(format="json", texts=(CardText("file", content),), files={})


def _character(texts: tuple[CardText, ...], limits: CardLimits, findings: Findings) -> tuple[Character, CardVersion]:
    """Read the first text, or the older version beside it where the first cannot be read."""
    for text, following in zip(texts, (*texts[1:], None), strict=True):
        attempt = Findings()
        try:
            document = parse_object(text.content, text.place, limits=limits, findings=attempt)
            character = character_of(document, attempt)
        except CardRefused as refusal:
            if following is None:
                raise
            findings.warn(text.place, f"cannot be read ({refusal}); {following.place} is taken")
            continue
        for problem in attempt.all():
            findings.warn(problem.place, problem.message)
        return character
    raise CardRefused("holds no card", place="file")
