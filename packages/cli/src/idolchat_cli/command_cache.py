"""What the plugins said of their commands, kept in the user's cache folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from idolchat_cli.lazy import Lazy

__all__ = ["recall", "remember"]

KEPT = 16
"""Answers that are kept: one for each installation and each set of plugins that was chosen."""


def recall() -> Mapping[str, Lazy] | None:
    """Return what the plugins said, where nothing has changed since; else None."""
    answer = _read().get(_circumstances())
    try:
        if answer is None or any(_stamp(path) != stamp for path, stamp in answer["files"].items()):
            return None
        return {name: Lazy(*command) for name, command in answer["commands"].items()}
    except (AttributeError, KeyError, TypeError):
        return None


def remember(commands: Mapping[str, Lazy]) -> None:
    """Cache what the plugins offer, if all could be imported; a folder that cannot be written is no error."""
    files = {path: _stamp(path) for path in _files()}
    answers = {**_read(), _circumstances(): {"files": files, "commands": commands}}
    newest = dict(list(answers.items())[-KEPT:])
    place = _place()
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(newest), encoding="utf-8")
        fresh.replace(place)


def _circumstances() -> str:
    """Return a key that changes with what plugins offer: with what is installed, and what is to be loaded.

    To install or remove anything changes the folder that it is in; to read all its entry points takes far longer.
    """
    installed = [[folder, _stamp(folder)] for folder in sys.path if folder]
    chosen = {name: value for name, value in os.environ.items() if name.upper() == "IDOLCHAT_PLUGINS"}
    dotenv = Path(".env").absolute()
    return json.dumps([sys.executable, installed, chosen, str(dotenv), _stamp(str(dotenv))])


def _files() -> Iterator[str]:
    from importlib.metadata import entry_points  # noqa: PLC0415  to recall is quick without

    for point in entry_points(group="idolchat"):
        path = getattr(sys.modules.get(point.module), "__file__", None)
        if path:
            yield path


def _stamp(path: str) -> list[int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size]


def _read() -> dict[str, Any]:
    try:
        answers = json.loads(_place().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return answers if isinstance(answers, dict) else {}


def _place() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(folder) / "idolchat" / "commands.json"
