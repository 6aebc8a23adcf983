"""Fields of a character, as options of a command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from idolchat_characters.character import Character
from idolchat_characters.commands.files import text_of
from idolchat_cli.usage import WrongUsage

__all__ = ["Files", "Values", "given_fields"]

Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A field's new value; JSON where the field is no text."),
]
Files = Annotated[
    list[str] | None,
    typer.Option("--file", metavar="FIELD=FILE", help="A field's new value, from a file; - is standard input."),
]


def given_fields(values: Sequence[str], files: Sequence[str]) -> dict[str, Any]:
    """Read ``FIELD=VALUE`` and ``FIELD=FILE``. Raises ``WrongUsage``."""
    fields = {field: _value(field, text) for field, text in map(_pair, values)}
    return fields | {field: _value(field, text_of(Path(file))) for field, file in map(_pair, files)}


def _pair(text: str) -> Sequence[str]:
    field, equals, value = text.partition("=")
    if not equals:
        raise WrongUsage(f"{text!r} is not FIELD=VALUE")
    return field, value


def _value(field: str, text: str) -> Any:
    """Read JSON for fields that hold no text."""
    known = Character.model_fields.get(field)
    if known is None or isinstance(known.default, str) or known.is_required() or field in ("nickname", "slug", "model"):
        return text or (None if known is not None and known.default is None else text)
    try:
        return json.loads(text)
    except ValueError:
        if field == "owner_id":
            return text
        raise WrongUsage(f"{field} takes JSON, and this is none: {text[:60]!r}") from None
