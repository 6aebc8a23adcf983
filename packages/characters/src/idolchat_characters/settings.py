"""The settings of characters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from idolchat_core import PackageSettings

__all__ = ["CharactersSettings"]

MIB = 1024 * 1024


class CharactersSettings(PackageSettings):
    """How much may be imported and kept."""

    max_import_bytes: int = Field(
        64 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_IMPORT_BYTES",
        ge=1024,
        le=64 * MIB,
        description="How large a card may be that is imported, in bytes.",
    )
    max_asset_bytes: int = Field(
        16 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_ASSET_BYTES",
        ge=1024,
        le=64 * MIB,
        description="How large a file of a card may be that is served, in bytes; a larger one stays in the card alone.",
    )
    max_per_user: int = Field(
        100,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_PER_USER",
        ge=0,
        description="How many characters a user may have.",
    )
    max_user_bytes: int = Field(
        256 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_USER_BYTES",
        ge=0,
        description="How many bytes a user's characters may take, cards and files included.",
    )
    starter: bool = Field(
        True,
        validation_alias="IDOLCHAT_CHARACTERS_STARTER",
        description="Whether a storage that never had a character begins with the one that comes with idolchat.",
    )
    max_personas: int = Field(
        50,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_PERSONAS",
        ge=0,
        le=1000,
        description="How many personas a user may have.",
    )
    max_books: int = Field(
        50,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_BOOKS",
        ge=0,
        le=1000,
        description="How many lorebooks a user may have, those of their conversations included; the server as many.",
    )
    max_book_bytes: int = Field(
        4 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_BOOK_BYTES",
        ge=1024,
        le=64 * MIB,
        description="How large a lorebook may be, in bytes.",
    )
    lore_scan_depth: int = Field(
        2,
        validation_alias="IDOLCHAT_LORE_SCAN_DEPTH",
        ge=0,
        le=1000,
        description="How many of the newest messages lorebooks look at, where neither a book nor an entry says so.",
    )
    lore_budget_percent: float = Field(
        10,
        validation_alias="IDOLCHAT_LORE_BUDGET_PERCENT",
        gt=0,
        le=10,
        description="How much of the context window lore may take, in percent.",
    )
    lore_budget_cap_tokens: int = Field(
        0,
        validation_alias="IDOLCHAT_LORE_BUDGET_CAP_TOKENS",
        ge=0,
        description="How many tokens lore may take at most; 0: what the percentage gives.",
    )
    lore_recursive: bool = Field(
        True,
        validation_alias="IDOLCHAT_LORE_RECURSIVE",
        description="Whether contents of entries set off others, where a V3 book does not say so.",
    )
    lore_max_recursion_steps: int = Field(
        0,
        validation_alias="IDOLCHAT_LORE_MAX_RECURSION_STEPS",
        ge=0,
        le=64,
        description="How many rounds a scan has at most; 0: 64 of recursion.",
    )
    lore_min_activations: int = Field(
        0,
        validation_alias="IDOLCHAT_LORE_MIN_ACTIVATIONS",
        ge=0,
        le=1000,
        description="Older messages are looked at while fewer entries than this are active.",
    )
    lore_min_activations_max_depth: int = Field(
        0,
        validation_alias="IDOLCHAT_LORE_MIN_ACTIVATIONS_MAX_DEPTH",
        ge=0,
        le=1000,
        description="How many messages are looked at for that at most; 0: a thousand.",
    )
    lore_whole_words: bool = Field(
        True,
        validation_alias="IDOLCHAT_LORE_WHOLE_WORDS",
        description="Whether keys are whole words, in books that follow SillyTavern's rules.",
    )
    lore_case_sensitive: bool = Field(
        False,
        validation_alias="IDOLCHAT_LORE_CASE_SENSITIVE",
        description="Whether upper and lower case count in keys.",
    )
    lore_score_groups: bool = Field(
        False,
        validation_alias="IDOLCHAT_LORE_SCORE_GROUPS",
        description="Whether of a group those with the most matching keys are left.",
    )
    lore_include_names: bool = Field(
        True,
        validation_alias="IDOLCHAT_LORE_INCLUDE_NAMES",
        description="Whether messages are scanned with the name of who speaks.",
    )
    lore_strategy: Literal["character_first", "global_first", "evenly"] = Field(
        "character_first",
        validation_alias="IDOLCHAT_LORE_STRATEGY",
        description="Whether the character's books or the server's are looked at first, or both by order.",
    )
    lore_random_scope: Literal["turn", "conversation"] = Field(
        "turn",
        validation_alias="IDOLCHAT_LORE_RANDOM_SCOPE",
        description="Whether entries roll anew at each turn, or once for a conversation.",
    )
