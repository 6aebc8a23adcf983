"""New characters, and fields that are changed: checked, and made into records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from pydantic import ValidationError

from idolchat_characters.cards import CardReading, EmbeddedAsset, embedded_assets
from idolchat_characters.cards.json_text import mend_object
from idolchat_characters.cards.limits import DEFAULT_LIMITS
from idolchat_characters.character import Character
from idolchat_characters.library.access import Viewer
from idolchat_characters.library.records import CharacterRecord, OriginalCard, StoredAsset, owner_in
from idolchat_characters.problems import Findings
from idolchat_core import InvalidRequest, new_id, utc_now

__all__ = ["Belongings", "check_rights", "embedded", "new_record", "with_changes"]

EDITABLE = frozenset(Character.model_fields) - {"unknown_fields"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What is kept beside a character: the card that it came from, and its files by their names."""

    original: OriginalCard | None = None
    card: bytes = b""
    assets: tuple[StoredAsset, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: CardReading, content: bytes, *, max_asset_bytes: int) -> Self:
        """Return what belongs to the character of a card; files that are larger stay in the card alone."""
        held = [asset for asset in reading.assets if len(asset.content) <= max_asset_bytes]
        return cls(
            original=OriginalCard(format=reading.format, digest=reading.digest, size_bytes=len(content)),
            card=content,
            assets=tuple(StoredAsset.of(asset) for asset in held),
            files={asset.file_name: asset.content for asset in held},
        )


def embedded(character: Character, card: CardReading | None, *, max_asset_bytes: int) -> Belongings:
    """Return the files that a character's assets hold; ``card`` is the one that she came from.

    A file is named by what is in it, so that another one never takes its address. Larger ones of the card stay in that
    alone. Raises ``InvalidRequest`` for another one that is too large.
    """
    files, image = (card.files, card.image) if card else ({}, None)
    known = {id(content) for content in (*files.values(), image)}
    found = embedded_assets(character, files=files, image=image)
    named = []
    for asset in found:
        if len(asset.content) <= max_asset_bytes:
            named.append(replace(asset, file_name=_by_content(asset)))
        elif id(asset.content) not in known:
            raise InvalidRequest(
                f"assets: {asset.name or asset.type!r} may have {max_asset_bytes} bytes"
                " (IDOLCHAT_CHARACTERS_MAX_ASSET_BYTES)",
                param="assets",
            )
    return Belongings(
        assets=tuple(StoredAsset.of(asset) for asset in named),
        files={asset.file_name: asset.content for asset in named},
    )


def _by_content(asset: EmbeddedAsset) -> str:
    stem, dot, extension = asset.file_name.rpartition(".")
    return f"{stem}-{sha256(asset.content).hexdigest()[:12]}{dot}{extension}"


def with_changes(character: Character | None, changes: Mapping[str, Any]) -> Character:
    """Return a character with other values of some fields, or a new one.

    Half surrogate pairs in them become U+FFFD, as in a card. Raises ``InvalidRequest``, and ``CardRefused`` for what is
    nested deeper than a card may be.
    """
    for name in changes:
        if name not in EDITABLE:
            raise InvalidRequest(f"{name}: is no field of a character that can be set", param=name)
    given = dict(changes)
    mend_object(given, "fields", limits=DEFAULT_LIMITS, findings=Findings())
    try:
        return Character.model_validate({**(character.model_dump() if character else {}), **given})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(map(str, problem["loc"]))
        raise InvalidRequest(f"{param}: {problem['msg'].removeprefix('Value error, ')}", param=param) from None


def check_rights(character: Character, viewer: Viewer, *, before: Character | None) -> None:
    """Raise ``InvalidRequest`` where only an operator may set what the viewer sets."""
    if viewer.is_operator:
        return
    if character.visibility != (before.visibility if before else "private"):
        raise InvalidRequest(
            "visibility: only an operator publishes characters; leave it out, and yours is private", param="visibility"
        )
    owner_id = before.owner_id if before else viewer.user_id if viewer.is_bound else character.owner_id
    if character.owner_id != owner_id:
        raise InvalidRequest("owner_id: must be left out, or be the user of the token", param="owner_id")


def new_record(character: Character, held: Belongings, *, character_id: UUID | None = None) -> CharacterRecord:
    """Make the first record of a character."""
    now = utc_now()
    return CharacterRecord(
        id=character_id or new_id(),
        version=1,
        created_at=now,
        updated_at=now,
        user_id=owner_in(character),
        character=character,
        original=held.original,
        assets=held.assets,
    )
