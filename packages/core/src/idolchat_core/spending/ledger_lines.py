"""The lines of the ledger. A log a UTC day; a call is written in the log of the day that it began.

    {"open": <call>, "at", "purpose", "turn", "conversation", "user", "key", "model"}    about to be made
    {"named": <call>, "completion"}                                                      the provider's id for it
    {"call": <call>, ..., "ended", "outcome", "completion", "input", "output", "cost", "estimated"}
    {"void": <call>}                                                                     was not made after all
    {"fix": <call>, "user", "key", "model", "purpose", "input", "output", "cost"}        what is to be added to it
    {"sure": <call>}                                                                     an estimate that stays one

Sums over the lines are the figures: nothing is ever rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from idolchat_core.models import StoredId, Usage

__all__ = ["NAMESPACE", "CallFacts", "Outcome", "fixed", "log_of", "named", "opened", "settled", "sure", "void"]

NAMESPACE = "spending"

type Outcome = str
"""As a turn's state: ``completed``, ``cancelled``, ``incomplete``, ``failed``; ``unknown`` where a crash hides it."""


class CallFacts(NamedTuple):
    """What is known of a call before it is made; ``log`` is the name of the log that it belongs to: the UTC day."""

    call_id: UUID | str
    at: datetime
    log: str
    purpose: str
    turn_id: UUID | str | None = None
    conversation_id: UUID | str | None = None
    user_id: StoredId | None = None
    key_id: str | None = None
    model: str | None = None

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> CallFacts:
        """Read the facts of an ``open`` or ``call`` line."""
        at = datetime.fromisoformat(line["at"])
        return cls(
            call_id=line.get("open") or line["call"],
            at=at,
            log=log_of(at),
            purpose=line["purpose"],
            turn_id=line.get("turn"),
            conversation_id=line.get("conversation"),
            user_id=line.get("user"),
            key_id=line.get("key"),
            model=line.get("model"),
        )

    def fields(self) -> dict[str, Any]:
        """Return what both kinds of line carry."""
        return {
            "at": self.at.isoformat(),
            "purpose": self.purpose,
            "turn": self.turn_id,
            "conversation": self.conversation_id,
            "user": self.user_id,
            "key": self.key_id,
            "model": self.model,
        }


def log_of(at: datetime) -> str:
    """Return the name of the log of a time, in UTC."""
    return at.date().isoformat()  # half the time of strftime


def opened(facts: CallFacts) -> bytes:
    """Write that a call is about to be made."""
    return to_json({"open": facts.call_id, **facts.fields()}) + b"\n"


def named(call_id: UUID | str, completion_id: str) -> bytes:
    """Write what the provider calls it."""
    return to_json({"named": call_id, "completion": completion_id}) + b"\n"


def settled(
    facts: CallFacts,
    *,
    ended_at: datetime,
    outcome: Outcome,
    usage: Usage,
    model: str | None = None,
    completion_id: str | None = None,
) -> bytes:
    """Write how a call ended and what it took."""
    line = {"call": facts.call_id, **facts.fields(), "ended": ended_at.isoformat(), "outcome": outcome}
    line |= {"completion": completion_id, "input": usage.input_tokens, "output": usage.output_tokens}
    line |= {"cost": usage.cost, "estimated": usage.is_estimate, "model": model or facts.model}
    return to_json(line) + b"\n"


def void(call_id: UUID | str) -> bytes:
    """Write that a call was not made."""
    return to_json({"void": call_id}) + b"\n"


def fixed(line: Mapping[str, Any], usage: Usage) -> bytes:
    """Return the line that corrects a settled call, given its line and the usage that the provider reports now."""
    kept = {name: line.get(name) for name in ("user", "key", "model", "purpose")}
    more = {
        "input": usage.input_tokens - line["input"],
        "output": usage.output_tokens - line["output"],
        "cost": (usage.cost or 0) - (line["cost"] or 0),
    }
    return to_json({"fix": line["call"], **kept, **more}) + b"\n"


def sure(call_id: UUID | str) -> bytes:
    """Write that an estimate will not get better."""
    return to_json({"sure": call_id}) + b"\n"
