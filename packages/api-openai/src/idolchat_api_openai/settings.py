"""The settings of ``/v1``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from idolchat_core import PackageSettings

__all__ = ["OpenAISettings"]


class OpenAISettings(PackageSettings):
    """What is stored, who may reach models directly, and whose assertions are believed."""

    store: Literal["auto", "identified"] = Field(
        "auto",
        validation_alias="IDOLCHAT_V1_STORE",
        description="auto stores every conversation, and recognises it by its history where the client sends no id;"
        " identified stores only requests that name their conversation.",
    )
    raw: Literal["operators", "everyone", "off"] = Field(
        "operators",
        validation_alias="IDOLCHAT_V1_RAW",
        description="Who may use models as raw/<model>, without a character: nothing of it is stored.",
    )
    user_jwt_secret: SecretStr | None = Field(
        None,
        min_length=32,
        validation_alias="IDOLCHAT_V1_USER_JWT_SECRET",
        description="Open WebUI's FORWARD_USER_INFO_HEADER_JWT_SECRET, of at least 32 characters: its signed"
        " X-OpenWebUI-User-Jwt then says, and proves, which user is asking.",
    )
