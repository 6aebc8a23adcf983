"""The report on a card, for whoever writes or uploads one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from idolchat_characters.cards.container import CardFormat
from idolchat_characters.cards.document import CardVersion
from idolchat_characters.cards.limits import DEFAULT_LIMITS, CardLimits
from idolchat_characters.cards.reading import read_card
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Problem

__all__ = ["CardReport", "validate"]


class CardReport(BaseModel):
    """What a card is and what is wrong with it; ``format``, ``version`` and ``name`` are null where it is refused."""

    model_config = ConfigDict(frozen=True)

    format: CardFormat | None = None
    version: CardVersion | None = None
    name: str | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Whether the card can be imported."""
        return self.name is not None


def validate(content: bytes, *, limits: CardLimits = DEFAULT_LIMITS) -> CardReport:
    """Examine a card. It never raises for what is in the file: a refusal is the report's one error."""
    try:
        reading = read_card(content, limits=limits)
    except CardRefused as refusal:
        place = refusal.param or "file"
        message = str(refusal).removeprefix(f"{place}: ")
        return CardReport(problems=(Problem(severity="error", place=place, message=message),))
    character = reading.character
    return CardReport(format=reading.format, version=reading.version, name=character.name, problems=reading.warnings)
