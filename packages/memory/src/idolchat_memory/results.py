"""What a search of memory found, as the API and the command tell it."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from idolchat_core import Speaker
from idolchat_memory.recall import Recalled, RecallResult

__all__ = ["MemoryPeriod", "MemorySearchResult", "RecalledMessage"]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class RecalledMessage(_Told):
    """A message that was found, and why."""

    message_id: str
    conversation_id: UUID
    character_id: str | None
    role: Speaker = Field(description="who said it")
    speaker: str = Field(description="their name, where the message has one, else empty")
    said_at: AwareDatetime
    text: str
    score: float = Field(description="what it is ordered by")
    relevance: float = Field(description="what its words are worth; 1 is that of a word which one message alone has")
    matched: tuple[str, ...] = Field(description="words of the question that it has, or others of like meaning")
    in_period: bool = Field(description="whether it was said in the time that the question names")
    of_speaker: bool = Field(description="whether the question asks for what this one said")

    @classmethod
    def of(cls, item: Recalled) -> RecalledMessage:
        """Describe one."""
        message = item.row.message
        return cls(
            message_id=message.message_id,
            conversation_id=item.row.conversation_id,
            character_id=item.scope.character_id,
            role=message.role,
            speaker=message.speaker,
            said_at=message.said_at,
            text=message.text,
            score=round(item.score, 3),
            relevance=round(item.relevance, 3),
            matched=tuple(item.matched),
            in_period=item.is_in_period,
            of_speaker=item.is_of_speaker,
        )


class MemoryPeriod(_Told):
    """A time that the question names: from the beginning of a day to before another."""

    words: str
    start: AwareDatetime
    end: AwareDatetime


class MemorySearchResult(_Told):
    """Messages that were found, best first, and how the question was read."""

    data: tuple[RecalledMessage, ...]
    period: MemoryPeriod | None = Field(description="the time that the question names, where it can be read")
    keeps_to_period: bool = Field(description="whether only what was said then was looked at")
    time_not_read: str | None = Field(description="words for a time that could not be read, and changed nothing")
    asked_of: Speaker | None = Field(description="whose words are asked for")
    semantic: bool = Field(description="whether meaning took part beside words")
    below_floor: int = Field(description="how many were found and are too far from the question")

    @classmethod
    def of(cls, result: RecallResult) -> MemorySearchResult:
        """Describe what was found."""
        period = result.period
        return cls(
            data=tuple([RecalledMessage.of(item) for item in result.items]),
            period=MemoryPeriod(words=period.words, start=period.start, end=period.end) if period else None,
            keeps_to_period=result.keeps_to_period,
            time_not_read=result.vague_words,
            asked_of=result.speaker,
            semantic=result.is_semantic,
            below_floor=result.below_floor,
        )
