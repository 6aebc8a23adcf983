"""What serves a conversation, in words."""

from __future__ import annotations

from idolchat_core.service import Service

__all__ = ["OPENROUTER_HINT", "model_in_use"]

OPENROUTER_HINT = (
    "The model on this machine is small. For a better one set OPENROUTER_API_KEY, and IDOLCHAT_MODEL to choose it,"
    " in the environment or in .env."
)


def model_in_use(service: Service, wanted: str | None = None) -> str:
    """Name the model that answers, and the provider that serves it."""
    model = wanted or service.settings.model or service.llm.default_model or "the account's default model"
    return f"{model} ({service.llm_name})"
