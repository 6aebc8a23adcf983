"""Reads personas from a backup of SillyTavern (Persona Management, Backup), or from its settings.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from idolchat_characters.cards.json_text import parse_object
from idolchat_characters.cards.limits import DEFAULT_LIMITS
from idolchat_characters.character import JsonObject
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Findings

__all__ = ["BackedUpPersona", "read_backup"]


class BackedUpPersona(NamedTuple):
    """One persona of a backup."""

    name: str
    description: str
    is_default: bool


def read_backup(content: bytes) -> list[BackedUpPersona]:
    """Read the personas of a file, in its order. Raises ``CardRefused``."""
    document = parse_object(content, "file", limits=DEFAULT_LIMITS, findings=Findings())
    power_user = document.get("power_user")
    held = power_user if isinstance(power_user, dict) else document
    if not isinstance(held.get("personas"), dict):
        message = "is missing: this is no backup of personas; make one in SillyTavern's Persona Management"
        raise CardRefused(message, place="personas")
    return list(_personas(held))


def _personas(held: JsonObject) -> Iterator[BackedUpPersona]:
    names, descriptions = held["personas"], held.get("persona_descriptions")
    for avatar, name in names.items() if isinstance(names, dict) else ():
        described = descriptions.get(avatar) if isinstance(descriptions, dict) else None
        text = described.get("description") if isinstance(described, dict) else None
        if isinstance(name, str) and name.strip():
            yield BackedUpPersona(name, text if isinstance(text, str) else "", avatar == held.get("default_persona"))
