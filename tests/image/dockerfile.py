"""What a Dockerfile says of its last image."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Image:
    """The instructions that the tests repeat without Docker; ``packages`` is the default of the build argument.

    ``copied`` are files of the checkout, by where they stand in the image.
    """

    packages: tuple[str, ...]
    environment: dict[str, str]
    command: tuple[str, ...]
    health_check: tuple[str, ...]
    copied: dict[str, str]

    @classmethod
    def read(cls) -> "Image":
        """Read the project's Dockerfile."""
        text = (ROOT / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
        last = text[text.rindex("\nFROM ") :]
        return cls(
            packages=tuple(shlex.split(_said(text, "ARG PACKAGES=")[0])[0].split()),
            environment=dict(pair.split("=", 1) for line in _said(last, "ENV") for pair in shlex.split(line)),
            command=_as_list(_said(last, "CMD")[-1]),
            health_check=_as_list(re.findall(r"^HEALTHCHECK .*? CMD (.*)$", last, re.MULTILINE)[0]),
            copied={
                line.split()[-1]: line.split()[-2] for line in _said(last, "COPY") if not line.startswith("--from")
            },
        )


def _said(text: str, instruction: str) -> list[str]:
    pattern = rf"^{re.escape(instruction)}[ ]*(.*)$"
    return [found.strip() for found in re.findall(pattern, text, re.MULTILINE)]


def _as_list(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
