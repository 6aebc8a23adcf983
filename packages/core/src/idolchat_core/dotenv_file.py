"""The file ``.env`` in the working directory, checked before its values are used.

python-dotenv, which reads it, leaves out what it cannot parse and puts nothing for ``${X}`` where X is not set.
"""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Iterator, Set
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

from idolchat_core.errors import ConfigurationError

__all__ = ["DOTENV", "DOTENV_ENCODING", "check_dotenv"]

DOTENV = Path(".env")
DOTENV_ENCODING = "utf-8-sig"  # editors on Windows put a mark before UTF-8, too

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def check_dotenv(variables: Set[str] | None = None, *, path: Path = DOTENV) -> None:
    """Check that every line can be read, and that ``${X}`` in the values of these variables (all, if None) is set.

    Raises ``ConfigurationError``, which names the line and never its text.
    """
    if not path.is_file():
        return
    bindings = list(parse_stream(io.StringIO(_text(path))))
    for binding in bindings:
        if binding.error:
            raise ConfigurationError(
                f"{path}, line {_line(binding)} cannot be read: write NAME=value, with quotes around a value that holds"
                " quotes or line breaks"
            )
    known = {binding.key for binding in bindings} | os.environ.keys()
    for binding in bindings:
        if binding.key is not None and (variables is None or binding.key.upper() in variables):
            for name in _unset(binding, known):
                raise ConfigurationError(
                    f"{path}, line {_line(binding)}: {binding.key} takes the value of {name}, which is not set; set"
                    f" {name}, write ${{{name}:-}} for nothing, or give {binding.key} in the environment where"
                    " `${` itself is meant"
                )


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data.startswith(_UTF_16):
            raise ConfigurationError(f"{path} is UTF-16, as PowerShell's > writes it: save it as UTF-8 text")
        return data.decode(DOTENV_ENCODING)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path}, line {line} cannot be read as UTF-8 text, so it may be Latin-1: save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def _line(binding: Binding) -> int:
    text = binding.original.string
    return binding.original.line + len(text) - len(text.lstrip("\n"))  # empty lines before it belong to it


def _unset(binding: Binding, known: Set[str | None]) -> Iterator[str]:
    for part in parse_variables(binding.value or ""):
        if isinstance(part, Variable) and part.default is None and part.name not in known:
            yield part.name
