"""Problems of a card, each with the place where it is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Findings", "Problem"]

MAX_PROBLEMS = 200
MAX_PLACE_LENGTH = 200


class Problem(BaseModel):
    """One problem of a card.

    ``severity`` is ``error`` where the card cannot be used, ``warning`` where it is used otherwise than written.
    ``place`` is a field (``data.tags``), a PNG chunk (``chunk chara``), an entry of an archive, or ``file``.
    """

    model_config = ConfigDict(frozen=True)

    severity: Literal["error", "warning"]
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.place}: {self.message}"


class Findings:
    """The warnings of one reading, in the order in which they were found; after 200, one says that there are more."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def warn(self, place: str, message: str) -> None:
        """Add a warning."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(severity="warning", place=place[:MAX_PLACE_LENGTH], message=message))
        elif len(self._problems) == MAX_PROBLEMS:
            more = f"there are more than {MAX_PROBLEMS} warnings; the others are left out"
            self._problems.append(Problem(severity="warning", place="file", message=more))

    def all(self) -> tuple[Problem, ...]:
        """The warnings so far."""
        return tuple(self._problems)
