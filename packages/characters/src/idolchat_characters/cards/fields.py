"""The values of a card's fields, in whatever shape applications have written them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from idolchat_characters.character import CardAsset, JsonObject
from idolchat_characters.problems import Findings

__all__ = ["UNREADABLE", "FieldReader"]

UNREADABLE = "idolchat/unreadable"
"""The extension in which values are kept that their field cannot hold, by the name of the field."""


ASSET_TEXTS = ("type", "uri", "name", "ext")


class FieldReader:
    """Reads the fields of one object; ``unreadable`` gathers the values that a field cannot hold.

    A field that is missing or null is empty. Each method says in a warning how else it read a value than written.
    """

    def __init__(self, fields: JsonObject, prefix: str, findings: Findings) -> None:
        self._fields = fields
        self.prefix = prefix
        self._findings = findings
        self.unreadable: JsonObject = {}

    def expect(self, names: Iterable[str]) -> None:
        """Warn of those that are missing, all together."""
        if missing := [name for name in names if name not in self._fields]:
            self._findings.warn(self.prefix.strip(".") or "file", f"lacks {', '.join(missing)}; read as empty")

    def text(self, name: str) -> str:
        """Read a text; a number or a flag is read as its JSON text."""
        value = self._fields.get(name)
        if value is None and name in self._fields:
            self._warn(name, "is null, and read as empty")
        return self._text_of(value, name) or ""

    def optional_text(self, name: str) -> str | None:
        """Read a text that need not be there."""
        return self._text_of(self._fields.get(name), name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of texts; a single text is a list of one."""
        return self.optional_texts(name) or ()

    def optional_texts(self, name: str) -> tuple[str, ...] | None:
        """Read a list of texts that need not be there."""
        value = self._fields.get(name)
        if isinstance(value, str):
            self._warn(name, "is a text instead of a list, and read as a list of one")
            return (value,) if value else ()
        if value is None or not isinstance(value, list):
            self._set_aside(value, name, "a list of texts")
            return None
        texts = (self._text_of(item, f"{name}.{index}") for index, item in enumerate(value))
        return tuple(text for text in texts if text is not None)

    def tags(self, name: str) -> tuple[str, ...]:
        """Read a list of texts; a single text is split at commas, as SillyTavern does."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            return self.texts(name)
        self._warn(name, "is a text instead of a list, and was split at its commas")
        return tuple(tag.strip() for tag in value.split(",") if tag.strip())

    def text_by_language(self, name: str) -> dict[str, str] | None:
        """Read an object of texts that need not be there."""
        value = self._fields.get(name)
        if not isinstance(value, dict):
            self._set_aside(value, name, "an object of texts by language")
            return None
        texts = {key: self._text_of(text, f"{name}.{key}") for key, text in value.items()}
        return {key: text for key, text in texts.items() if text is not None}

    def object(self, name: str) -> JsonObject | None:
        """Read an object that need not be there."""
        value = self._fields.get(name)
        if isinstance(value, dict):
            return value
        self._set_aside(value, name, "an object")
        return None

    def seconds(self, name: str) -> int | None:
        """Read a time in whole seconds since 1970."""
        value = self._fields.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            self._warn(name, "has a fraction of zero, which is left out")
            return int(value)
        self._set_aside(value, name, "a whole number of seconds since 1970")
        return None

    def assets(self, name: str) -> tuple[CardAsset, ...] | None:
        """Read a list of assets that need not be there."""
        value = self._fields.get(name)
        if not isinstance(value, list):
            self._set_aside(value, name, "a list of assets")
            return None
        assets = (self._asset(item, f"{name}.{index}") for index, item in enumerate(value))
        return tuple(asset for asset in assets if asset is not None)

    def _asset(self, item: JsonValue, name: str) -> CardAsset | None:
        members = item.items() if isinstance(item, dict) else ()
        given = {key: value for key, value in members if value is not None or key not in ASSET_TEXTS}
        if "uri" not in given or not all(isinstance(given.get(key, ""), str) for key in ASSET_TEXTS):
            self._set_aside(item, name, "an object with the texts type, uri, name and ext")
            return None
        return CardAsset.model_validate(given)

    def _text_of(self, value: JsonValue, name: str) -> str | None:
        if isinstance(value, str):
            return value
        if isinstance(value, bool | int | float):
            self._warn(name, "is no text, and read as one")
            return str(value).lower() if isinstance(value, bool) else str(value)
        self._set_aside(value, name, "text")
        return None

    def _set_aside(self, value: JsonValue, name: str, wanted: str) -> None:
        if value is not None:
            self.unreadable[name] = value
            self._warn(name, f"must be {wanted}; read as empty, and its value kept in extensions[{UNREADABLE!r}]")

    def _warn(self, name: str, message: str) -> None:
        self._findings.warn(f"{self.prefix}{name}", message)
