"""Settings of the request policy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from idolchat_api.request_extras import EXTRAS
from idolchat_core.settings import PackageSettings

__all__ = ["RequestPolicySettings"]

ROLES = ("assistant", "developer", "system", "tool", "user")


class RequestPolicySettings(PackageSettings):
    """Which roles, fields, models, token counts and prices a request may have."""

    client_roles: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="IDOLCHAT_API_CLIENT_ROLES",
        description="Roles of messages that requests may hold, comma separated; unset: user and tool for users, all for"
        " trusted back ends and this machine's own user.",
    )
    refused_fields: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="IDOLCHAT_API_REFUSED_FIELDS",
        description="Request fields that nobody may set, comma separated, beside those that never are.",
    )
    user_extras: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="IDOLCHAT_API_USER_EXTRAS",
        description="What users may ask for beside tokens of a model, comma separated, of"
        f" {', '.join(sorted(EXTRAS))}; unset: none of it.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="IDOLCHAT_API_MODELS",
        description="Models that requests may name, comma separated, * for any text; unset: all.",
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        validation_alias="IDOLCHAT_API_MAX_TOKENS",
        description="Most tokens that a reply may be asked to have, and has where a request does not say.",
    )
    max_prompt_price: float | None = Field(
        None,
        ge=0,
        validation_alias="IDOLCHAT_API_MAX_PROMPT_PRICE",
        description="Most that a million prompt tokens may cost, in US dollars; OpenRouter then takes no dearer one.",
    )
    max_completion_price: float | None = Field(
        None,
        ge=0,
        validation_alias="IDOLCHAT_API_MAX_COMPLETION_PRICE",
        description="The same for a million tokens of the reply.",
    )

    @field_validator("client_roles", "refused_fields", "user_extras", "models", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("client_roles")
    @classmethod
    def _are_roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in ROLES:
                raise ValueError(f"{name!r} is no role; there are {', '.join(ROLES)}")
        return value

    @field_validator("user_extras")
    @classmethod
    def _are_extras(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in EXTRAS:
                raise ValueError(f"{name!r} is no extra; there are {', '.join(sorted(EXTRAS))}")
        return value
