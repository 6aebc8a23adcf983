"""Settings of what may be spent."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["SpendingSettings"]


class SpendingSettings(BaseSettings):
    """Budgets and limits; unset, there is none. Days and months are UTC, costs in the provider's currency."""

    budget_daily_tokens: int | None = Field(
        None, ge=0, validation_alias="IDOLCHAT_BUDGET_DAILY_TOKENS", description="Tokens that all may use in a day."
    )
    budget_monthly_tokens: int | None = Field(
        None, ge=0, validation_alias="IDOLCHAT_BUDGET_MONTHLY_TOKENS", description="Tokens that all may use in a month."
    )
    budget_daily_cost: float | None = Field(
        None, ge=0, validation_alias="IDOLCHAT_BUDGET_DAILY_COST", description="What all may cost in a day."
    )
    budget_monthly_cost: float | None = Field(
        None, ge=0, validation_alias="IDOLCHAT_BUDGET_MONTHLY_COST", description="What all may cost in a month."
    )
    user_budget_daily_tokens: int | None = Field(
        None,
        ge=0,
        validation_alias="IDOLCHAT_USER_BUDGET_DAILY_TOKENS",
        description="Tokens that one user may use in a day.",
    )
    user_budget_monthly_tokens: int | None = Field(
        None,
        ge=0,
        validation_alias="IDOLCHAT_USER_BUDGET_MONTHLY_TOKENS",
        description="Tokens that one user may use in a month.",
    )
    user_budget_daily_cost: float | None = Field(
        None, ge=0, validation_alias="IDOLCHAT_USER_BUDGET_DAILY_COST", description="What one user may cost in a day."
    )
    user_budget_monthly_cost: float | None = Field(
        None,
        ge=0,
        validation_alias="IDOLCHAT_USER_BUDGET_MONTHLY_COST",
        description="What one user may cost in a month.",
    )
    user_tokens_per_minute: int | None = Field(
        None,
        ge=1,
        validation_alias="IDOLCHAT_USER_TOKENS_PER_MINUTE",
        description="Tokens that one user may use in a minute.",
    )
    address_tokens_per_minute: int | None = Field(
        None,
        ge=1,
        validation_alias="IDOLCHAT_ADDRESS_TOKENS_PER_MINUTE",
        description="Tokens that one client address may use in a minute.",
    )
    max_turns: int | None = Field(
        None,
        ge=1,
        validation_alias="IDOLCHAT_MAX_TURNS",
        description="How many turns may run or wait at once, all together.",
    )
    user_max_turns: int | None = Field(
        None,
        ge=1,
        validation_alias="IDOLCHAT_USER_MAX_TURNS",
        description="How many turns of one user may run or wait at once.",
    )
    address_max_turns: int | None = Field(
        None,
        ge=1,
        validation_alias="IDOLCHAT_ADDRESS_MAX_TURNS",
        description="How many turns asked for by one client address may run or wait at once.",
    )
