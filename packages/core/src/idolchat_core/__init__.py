"""Contracts, models and the turn engine of idolchat."""

from idolchat_core.llm.contract import CompletionRequest, Delta, Finished, LLMProvider, ModelInfo
from idolchat_core.models import Conversation, ConversationList, ConversationSummary, Message, Page, Usage
from idolchat_core.plugins.hookspecs import hookimpl
from idolchat_core.plugins.registry import Registry
from idolchat_core.storage.contract import Storage

__all__ = [
    "CompletionRequest",
    "Conversation",
    "ConversationList",
    "ConversationSummary",
    "Delta",
    "Finished",
    "LLMProvider",
    "Message",
    "ModelInfo",
    "Page",
    "Registry",
    "Storage",
    "Usage",
    "hookimpl",
]
