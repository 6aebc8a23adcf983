"""Continuing a reply: which reply a turn goes on from, what that answers, and where a client's own beginning goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idolchat_core.errors import InvalidRequest, TurnNotRetryable
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Message, StoredId, utc_now
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.history import History
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.lookup import find_message
from idolchat_core.turns.plan import Plan
from idolchat_core.turns.request import NewMessage

__all__ = ["begin_prefilled", "continue_head", "go_on_from_stored", "proof_of", "replied_head"]


async def go_on_from_stored(storage: Storage, history: History, plan: Plan, live: LiveTurn) -> None:
    """Make a turn continue the stored reply that its plan names.

    Raises ``InvalidRequest`` where there is no such message, and ``TurnNotRetryable`` where it cannot be continued.
    """
    found = await find_message(storage, history.id, plan.continues)
    if found is None:
        raise InvalidRequest(f"no message {plan.continues} in conversation {history.id}", param="message_id")
    reply, answers = found
    if (why := _why_not(reply)) is not None:
        raise TurnNotRetryable(f"message {reply.id} {why}")
    if answers is None:
        raise TurnNotRetryable(
            f"message {reply.id} begins the conversation: it answers nothing that could be asked again"
        )
    live.go_on_from(reply.id, str(reply.content), answers=answers, **proof_of(plan))


def _why_not(reply: Message) -> str | None:
    if reply.role != "assistant":
        return "is no reply; only a reply can be continued"
    if reply.deleted_at is not None:
        return "was deleted"
    if reply.tool_calls:
        return "calls tools; send their results instead"
    if not reply.content or not isinstance(reply.content, str):
        return "has no text to continue; regenerate it instead"
    return None


def replied_head(plan: Plan, branch: Sequence[Entry], said_before: Sequence[tuple[Any, Any]] | None) -> Entry | None:
    """Return the reply at the end of the branch, if that is what the beginning of a reply in a request stands for.

    It is where the request holds nothing else, or repeats all that was said before it: ``said_before``, as roles and
    contents, None where that is not known.
    """
    head = branch[-1] if branch and plan.instead_of is None else None
    if head is None or head.role != "assistant":
        return None
    sent = [(message.role, message.content) for message in plan.messages[:-1]]
    return head if not sent or sent == said_before else None


def continue_head(plan: Plan, live: LiveTurn, branch: Sequence[Entry]) -> bool:
    """Make a turn continue the branch's last reply, if the request ends with its text; return whether it does."""
    head = branch[-1]
    if len(branch) < 2 or head.sent["content"] != plan.messages[-1].content or "tool_calls" in head.sent:
        return False
    live.go_on_from(head.id, head.sent["content"], answers=branch[-2].id, **proof_of(plan))
    return True


def begin_prefilled(plan: Plan, live: LiveTurn, said: Sequence[Message], *, after: StoredId | None) -> list[Message]:
    """Return the messages to store of a request that ends with the beginning of a reply, and have the turn continue it.

    ``said`` are the messages before it, which follow the message ``after``. Raises ``InvalidRequest`` where it answers
    nothing.
    """
    prefill = plan.messages[-1]
    answers = said[-1].id if said else after
    if answers is None:
        text = "the last message is the beginning of a reply, and there is none before it that it could answer"
        raise InvalidRequest(text, param="messages")
    proof = {} if said else proof_of(plan)
    live.go_on_from(plan.prefill_id, str(prefill.content), answers=answers, **proof)
    return [*said, _stored_prefill(prefill, plan)]


def _stored_prefill(prefill: NewMessage, plan: Plan) -> Message:
    fields = {"role", "content", "name"}
    return Message(
        **prefill.model_dump(include=fields, exclude_unset=True),
        id=plan.prefill_id,
        timestamp=utc_now(),
        origin="client",
    )


def proof_of(plan: Plan) -> dict[str, Any]:
    """Return the idempotency key of a plan and what it was used for, as the message that carries them holds them."""
    return {} if plan.key is None else {"idempotency_key": plan.key, "request_hash": plan.fingerprint}
