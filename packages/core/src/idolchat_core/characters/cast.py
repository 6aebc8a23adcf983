"""Several characters in one conversation: who of them speaks next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from idolchat_core.characters.contract import DirectoryEntry
from idolchat_core.models import StoredId

__all__ = ["MAX_CHARACTERS", "Cast", "Member", "NextSpeaker", "choose_speaker"]

MAX_CHARACTERS = 16
"""In one conversation; each is looked up at every turn."""

_LEAST_NAME_LENGTH = 2
_WORDS = re.compile(r"[^\s,.;:!?()\"]+")


class NextSpeaker(StrEnum):
    """Who answers where a request names nobody.

    ``in_turn``: one after the other, as the conversation lists them. ``mention``: whom the user names, else in turn.
    ``talkativeness``: whom the user names, else by lot, each with the weight of her talkativeness.
    """

    IN_TURN = "in_turn"
    MENTION = "mention"
    TALKATIVENESS = "talkativeness"

    @classmethod
    def of(cls, stored: str | None) -> NextSpeaker:
        """Read what a document says; ``mention`` where that is nothing that is known."""
        return cls(stored) if stored in list(cls) else cls.MENTION


@dataclass(frozen=True, slots=True)
class Member:
    """One who takes part; without an entry where no directory knows her, or not for this user."""

    id: StoredId
    entry: DirectoryEntry | None


@dataclass(frozen=True, slots=True)
class Cast:
    """Who speaks in a turn, and the names of all whose names are known, by id.

    A reply that says nothing of who gave it is that of ``first_id``, with whom alone the conversation was then.
    """

    speaker_id: StoredId
    names: Mapping[StoredId, str]
    first_id: StoredId | None = None

    def name_of(self, character_id: StoredId | None) -> str | None:
        """Return the name of somebody else who takes part, or did; None for the speaker, and for one without a name."""
        given_by = self.first_id if character_id is None else character_id
        if given_by in (None, self.speaker_id):
            return None
        return self.names.get(given_by or "")


def choose_speaker(
    members: Sequence[Member], how: NextSpeaker, *, said: str, last: StoredId | None, seed: str
) -> StoredId:
    """Choose who answers what the user ``said``; ``last`` spoke last. The same ``seed`` gives the same lot."""
    if how is not NextSpeaker.IN_TURN and (mentioned := _first_mentioned(members, said)) is not None:
        return mentioned
    if how is NextSpeaker.TALKATIVENESS and (drawn := _by_lot(members, seed)) is not None:
        return drawn
    ids = [member.id for member in members]
    return ids[(ids.index(last) + 1) % len(ids)] if last in ids else ids[0]


def _first_mentioned(members: Sequence[Member], said: str) -> StoredId | None:
    text = said.casefold()
    places = [(place, member.id) for member in members if (place := _place_of(member, text)) is not None]
    return min(places, key=lambda found: found[0])[1] if places else None


def _place_of(member: Member, text: str) -> int | None:
    """Find where a name, or a word of it, stands in a text; scripts without blanks between words have no word ends."""
    name = member.entry.name.casefold() if member.entry else ""
    words = [word for word in (name, *_WORDS.findall(name)) if len(word) >= _LEAST_NAME_LENGTH]
    found = [re.search(f"(?<![a-z0-9_]){re.escape(word)}(?![a-z0-9_])", text) for word in words]
    return min((match.start() for match in found if match), default=None)


def _by_lot(members: Sequence[Member], seed: str) -> StoredId | None:
    weights = [max(0.0, member.entry.talkativeness) if member.entry else 0.0 for member in members]
    left = sum(weights) * int.from_bytes(sha256(seed.encode()).digest()[:8]) / 2**64
    for member, weight in zip(members, weights, strict=True):
        left -= weight
        if left < 0:
            return member.id
    return None
