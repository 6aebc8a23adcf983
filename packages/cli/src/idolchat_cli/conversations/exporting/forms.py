"""The forms that conversations are written in, and what an archive says of itself."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

import idolchat_cli
from idolchat_core.models import utc_now

__all__ = ["TEXT_FORMS", "Form", "form_of", "manifest"]


class Form(StrEnum):
    """The forms, by the name that ``--format`` takes."""

    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"
    TAR = "tar"
    TAR_GZ = "tar.gz"
    ZIP = "zip"


TEXT_FORMS = frozenset({Form.JSON, Form.JSONL, Form.MARKDOWN})
"""Those that people can read; the others are archives."""

_SUFFIXES = {".json": Form.JSON, ".jsonl": Form.JSONL, ".ndjson": Form.JSONL, ".md": Form.MARKDOWN} | {
    ".tar": Form.TAR,
    ".tar.gz": Form.TAR_GZ,
    ".tgz": Form.TAR_GZ,
    ".zip": Form.ZIP,
}


def form_of(path: Path) -> Form | None:
    """Return the form of a file by its name; None for an unknown suffix."""
    return next((form for suffix, form in _SUFFIXES.items() if path.name.lower().endswith(suffix)), None)


def manifest() -> bytes:
    """Write what the first file of an archive says of it."""
    about = {"what": "idolchat export", "format": 1, "version": idolchat_cli.__version__}
    return json.dumps({**about, "exported_at": utc_now().isoformat()}, indent=2).encode()
