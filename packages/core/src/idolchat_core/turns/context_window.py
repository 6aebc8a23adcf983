"""How full the context window of a conversation is, and what no longer fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.llm.model_catalog import ModelCatalog
from idolchat_core.models import StoredId
from idolchat_core.prompt.explanation import ExplainedPart
from idolchat_core.prompt.history import PAGE_SIZE, History
from idolchat_core.settings import CoreSettings
from idolchat_core.turns.plan import Plan
from idolchat_core.turns.prompting import Prompting
from idolchat_core.turns.request import TurnOptions
from idolchat_core.turns.resources import EngineResources

__all__ = ["ContextWindow", "measure_window", "prompt_budget", "window_tokens_of"]

REPLY_SHARE = 0.25
"""Of the context window, kept free for the reply of a request that does not say how long it may be."""
MOST_REPLY_SHARE = 0.75
"""Of it, kept free for the reply of a request that wants a very long one."""


class ContextWindow(BaseModel):
    """What the next prompt of a conversation would hold if it were built now; all tokens are estimates."""

    model_config = ConfigDict(frozen=True)

    conversation_id: UUID
    model: str | None = Field(description="of a turn that names none; null where the provider's account decides")
    window_tokens: int = Field(description="what the model can read, prompt and reply together")
    reply_tokens: int = Field(description="of these, kept free for the reply")
    reserved_tokens: int = Field(description="of these, kept free for what varies from turn to turn")
    prompt_tokens: int = Field(description="of the whole prompt")
    history_tokens: int = Field(description="of the messages of the conversation in it")
    history_messages: int = Field(description="how many these are")
    free_tokens: int = Field(description="how much longer the history can grow before its beginning is cut")
    begins_with: StoredId | None = Field(description="the first message of the conversation in it; null without any")
    is_cut: bool = Field(description="whether older messages of the branch are left out")
    left_out_messages: int = Field(description="messages of the document before that one, of all branches")
    summary: ExplainedPart | None = Field(
        None, description="what stands for the messages that are left out, where something does"
    )


async def window_tokens_of(model: str | None, *, catalog: ModelCatalog, settings: CoreSettings) -> int:
    """Return a model's context length in tokens: the provider's figure, else the settings'."""
    return await catalog.context_length(model) or settings.context_length


def prompt_budget(window_tokens: int, options: Mapping[str, Any]) -> float:
    """Return how many tokens a prompt may have: the context window less the reply's share."""
    wanted = options.get("max_completion_tokens") or options.get("max_tokens")
    if not isinstance(wanted, int):
        return window_tokens * (1 - REPLY_SHARE)
    return window_tokens - min(wanted, window_tokens * MOST_REPLY_SHARE)


async def measure_window(resources: EngineResources, conversation_id: UUID) -> ContextWindow:
    """Build the next prompt without its new message, and send it nowhere.

    Raises ``ConversationNotFound``, ``ConversationDamaged``, ``ContextTooLong``, ``StorageUnavailable``.
    """
    model = resources.settings.model or resources.llm.default_model
    window_tokens = await window_tokens_of(model, catalog=resources.catalog, settings=resources.settings)
    budget_tokens = prompt_budget(window_tokens, {})
    per_size = resources.estimator.tokens(1.0, model)
    known = await resources.histories.get(conversation_id)
    history = await _read(resources, conversation_id, cut=known.cut, size=budget_tokens / per_size)
    plan = Plan.anew(conversation_id, history.last_id or conversation_id, TurnOptions())
    prompting = Prompting(resources, plan, turn_id=plan.turn_id, model=model)
    prompt = await prompting.build(
        history, history.path, budget_tokens=budget_tokens, window_tokens=window_tokens, is_rehearsal=True
    )
    explained = prompting.explained
    return ContextWindow(
        conversation_id=conversation_id,
        model=model,
        window_tokens=window_tokens,
        reply_tokens=round(window_tokens - budget_tokens),
        reserved_tokens=round(prompting.reserved_tokens),
        prompt_tokens=round(per_size * prompt.size),
        history_tokens=round(per_size * prompt.history_size),
        history_messages=explained.history_messages,
        free_tokens=max(0, round(prompt.free_tokens)),
        begins_with=prompt.cut,
        is_cut=prompt.is_cut,
        left_out_messages=explained.left_out_messages,
        summary=prompting.summary,
    )


async def _read(resources: EngineResources, conversation_id: UUID, *, cut: StoredId | None, size: float) -> History:
    """Read as much of the branch as a prompt may hold, apart from what a running turn has of it."""
    storage = resources.storage
    history = await resources.histories.read(conversation_id)
    while not history.is_complete and (
        sum(entry.size for entry in history.path) < size if cut is None else history.position_of(cut) is None
    ):
        limit = max(PAGE_SIZE, len(history.path))
        history.extend(await storage.read_page(conversation_id, limit=limit, before=history.unread))
    history.cut = cut
    return history
