"""The document of a card: from JSON of any version to a character, and back."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import JsonValue

from idolchat_characters.cards.decorators import without_decorators
from idolchat_characters.cards.fields import UNREADABLE, FieldReader
from idolchat_characters.character import Character, JsonObject, UnknownFields
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Findings

__all__ = ["CARD_FIELDS", "CardVersion", "character_of", "v2_document", "v3_document"]

type CardVersion = Literal["v1", "v2", "v3"]

V1_TEXTS = ("name", "description", "personality", "scenario", "first_mes", "mes_example")
V2_TEXTS = (*V1_TEXTS, "creator_notes", "system_prompt", "post_history_instructions", "creator", "character_version")
V2_REQUIRED = (*V2_TEXTS, "alternate_greetings", "tags", "extensions")
REQUIRED: Final = {"v1": V1_TEXTS, "v2": V2_REQUIRED, "v3": (*V2_REQUIRED, "group_only_greetings")}
V2_FIELDS = (*V2_REQUIRED, "character_book")
V3_FIELDS = (
    "nickname",
    "assets",
    "group_only_greetings",
    "creator_notes_multilingual",
    "source",
    "creation_date",
    "modification_date",
)
CARD_FIELDS = (*V2_FIELDS, *V3_FIELDS)
"""Every field of a card's ``data`` that a version of the specification names."""

WRAPPER = ("spec", "spec_version", "data")
VERSIONS: Final[dict[str, CardVersion]] = {"chara_card_v2": "v2", "chara_card_v3": "v3"}
PYGMALION: Final = {
    "char_name": "name",
    "char_persona": "description",
    "world_scenario": "scenario",
    "char_greeting": "first_mes",
    "example_dialogue": "mes_example",
}
COPIES: Final = {name: name for name in CARD_FIELDS} | {"creatorcomment": "creator_notes"}
"""Fields beside ``data`` that repeat one in it, as SillyTavern writes them."""


def character_of(document: JsonObject, findings: Findings) -> tuple[Character, CardVersion]:
    """Read a card of any version. Raises ``CardRefused`` where it is none, or has no name."""
    if document.get("spec") == "lorebook_v3":
        raise CardRefused("is lorebook_v3: import the file as a lorebook", place="spec")
    if isinstance(document.get("data"), dict) or ("spec" in document and "name" not in document):
        return _wrapped(document, findings)
    return _flat(document, findings)


def v3_document(character: Character) -> JsonObject:
    """Write a card V3."""
    fields = character.model_dump(mode="json", include=set(CARD_FIELDS))
    data = {name: fields[name] for name in CARD_FIELDS if name in REQUIRED["v3"] or fields[name] is not None}
    return _wrap(character, "chara_card_v3", "3.0", data)


def v2_document(character: Character) -> JsonObject:
    """Write a card V2: without the fields that only V3 has, and without decorators, which V2 would say aloud."""
    fields = character.model_dump(mode="json", include=set(V2_FIELDS))
    data = {name: fields[name] for name in V2_FIELDS if fields[name] is not None}
    if character.character_book is not None:
        data["character_book"] = without_decorators(character.character_book)
    return _wrap(character, "chara_card_v2", "2.0", data)


def _wrap(character: Character, spec: str, version: str, data: JsonObject) -> JsonObject:
    unknown = character.unknown_fields
    copies = {name: data[COPIES[name]] for name in unknown.root_copies if COPIES.get(name) in data}
    others = {name: value for name, value in unknown.root.items() if name not in WRAPPER}
    extra = {name: value for name, value in unknown.data.items() if name not in CARD_FIELDS}
    return {"spec": spec, "spec_version": version, **others, **copies, "data": {**data, **extra}}


def _wrapped(document: JsonObject, findings: Findings) -> tuple[Character, CardVersion]:
    version = _version_of(document, findings)
    data = document.get("data")
    if not isinstance(data, dict):
        raise CardRefused("must be an object with the card's fields: export the card anew", place="data")
    root = {name: value for name, value in document.items() if name not in WRAPPER}
    if not data.get("name") and root.get("name"):
        findings.warn("data.name", "is missing; the name beside data is taken")
        data = {**data, "name": root["name"]}
    copies = tuple(name for name in root if name in COPIES and _same(root[name], data.get(COPIES[name])))
    for name in root:
        if name in CARD_FIELDS and name in data and name not in copies:
            findings.warn(name, f"differs from data.{name}, which is the one that counts")
    unknown = UnknownFields(
        data={name: value for name, value in data.items() if name not in CARD_FIELDS},
        root={name: value for name, value in root.items() if name not in copies},
        root_copies=copies,
    )
    return _character(FieldReader(data, "data.", findings), version, unknown=unknown), version


def _flat(document: JsonObject, findings: Findings) -> tuple[Character, CardVersion]:
    known = {old: new for old, new in PYGMALION.items() if new not in document}
    fields = {known.get(name, name): value for name, value in document.items() if name not in WRAPPER}
    if "name" not in fields:
        raise CardRefused(_no_card(document), place="name")
    if "spec" in document:
        findings.warn("data", "is missing; the fields beside it are taken")
    if "creator_notes" not in fields and "creatorcomment" in fields:
        fields["creator_notes"] = fields["creatorcomment"]
    root = {name: value for name, value in fields.items() if name not in CARD_FIELDS}
    character = _character(FieldReader(fields, "", findings), "v1", unknown=UnknownFields(root=root))
    beside = document.get("data")
    return _with_unreadable(character, {} if beside is None else {"data": beside}), "v1"


def _no_card(document: JsonObject) -> str:
    if "entries" in document:
        return "is missing: this is a lorebook, not a character card; import it as a lorebook"
    return "is missing: this is no character card; one has name, or spec and data"


def _version_of(document: JsonObject, findings: Findings) -> CardVersion:
    spec, number = document.get("spec"), document.get("spec_version")
    version = VERSIONS.get(spec if isinstance(spec, str) else "")
    if version is None:
        findings.warn("spec", f"is {'unknown; read as V3' if spec else 'missing; read as V2'}")
        return "v3" if spec else "v2"
    if not isinstance(number, str):
        findings.warn("spec_version", 'must be a text, such as "3.0"')
    if _number(number) is None:
        findings.warn("spec_version", "is no number; the version that spec names is taken")
    elif (_number(number) or 0) > float(version[1:]):
        findings.warn("spec_version", "is newer than what is known; fields that are not known are kept")
    return version


def _number(value: JsonValue) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _character(reader: FieldReader, version: CardVersion, *, unknown: UnknownFields) -> Character:
    texts = {name: reader.text(name) for name in V2_TEXTS}
    if not texts["name"].strip():
        raise CardRefused("is empty: write the character's name there", place=f"{reader.prefix}name")
    reader.expect(REQUIRED[version])
    character = Character.model_validate(
        texts
        | {
            "nickname": reader.optional_text("nickname"),
            "alternate_greetings": reader.texts("alternate_greetings"),
            "group_only_greetings": reader.texts("group_only_greetings"),
            "tags": reader.tags("tags"),
            "source": reader.optional_texts("source"),
            "creator_notes_multilingual": reader.text_by_language("creator_notes_multilingual"),
            "character_book": reader.object("character_book"),
            "assets": reader.assets("assets"),
            "creation_date": reader.seconds("creation_date"),
            "modification_date": reader.seconds("modification_date"),
            "extensions": reader.object("extensions") or {},
            "unknown_fields": unknown,
        }
    )
    return _with_unreadable(character, reader.unreadable)


def _with_unreadable(character: Character, unreadable: JsonObject) -> Character:
    if not unreadable:
        return character
    earlier = character.extensions.get(UNREADABLE)
    before: JsonObject = earlier if isinstance(earlier, dict) else {"": earlier} if earlier is not None else {}
    kept: JsonValue = {**before, **unreadable}
    return character.model_copy(update={"extensions": {**character.extensions, UNREADABLE: kept}})


def _same(one: JsonValue, other: JsonValue) -> bool:
    return type(one) is type(other) and one == other
