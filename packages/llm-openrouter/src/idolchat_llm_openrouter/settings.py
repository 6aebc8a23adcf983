"""The settings of this package."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from idolchat_core import ConfigurationError, PackageSettings

__all__ = ["Dialect", "OpenRouterSettings"]

OPENROUTER_URL = "https://openrouter.ai/api/v1"
OPENROUTER_HOST = "openrouter.ai"
MAX_CATEGORIES = 2  # openrouter.ai/docs, App Attribution, read 2026-08-22


class Dialect(StrEnum):
    """The API of a server; ``auto`` decides by its host."""

    AUTO = "auto"
    OPENROUTER = "openrouter"
    OPENAI = "openai"


class OpenRouterSettings(PackageSettings):
    """The server, and the limits of its replies."""

    api_key: SecretStr | None = Field(
        None,
        validation_alias="OPENROUTER_API_KEY",
        description="Key of the account; needed at OpenRouter, optional at another server.",
    )
    base_url: str = Field(
        OPENROUTER_URL,
        validation_alias="OPENROUTER_BASE_URL",
        description="Address of any OpenAI-compatible server, up to and without /chat/completions.",
    )
    model: str | None = Field(
        None, validation_alias="IDOLCHAT_MODEL", description="Model of a request that names none."
    )
    referer: str | None = Field(
        None, validation_alias="HTTP_REFERER", description="URL of your app, for OpenRouter's rankings."
    )
    title: str | None = Field(
        None, validation_alias="X_TITLE", description="Name of your app, for OpenRouter's rankings."
    )
    categories: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        max_length=MAX_CATEGORIES,
        validation_alias="IDOLCHAT_OPENROUTER_CATEGORIES",
        description="Up to two of OpenRouter's app categories, comma separated, such as roleplay.",
    )
    dialect: Dialect = Field(
        Dialect.AUTO,
        validation_alias="IDOLCHAT_OPENROUTER_DIALECT",
        description="auto, openrouter or openai: whether OpenRouter's own fields are sent; auto tells by the host.",
    )
    connect_timeout_s: float = Field(
        10,
        gt=0,
        validation_alias="IDOLCHAT_OPENROUTER_CONNECT_TIMEOUT_S",
        description="How long connecting may take, in seconds.",
    )
    first_token_timeout_s: float = Field(
        120,
        gt=0,
        validation_alias="IDOLCHAT_OPENROUTER_FIRST_TOKEN_TIMEOUT_S",
        description="How long a streamed reply may take to begin, in seconds; heartbeats do not prolong it.",
    )
    token_timeout_s: float = Field(
        30,
        gt=0,
        validation_alias="IDOLCHAT_OPENROUTER_TOKEN_TIMEOUT_S",
        description="How long a reply that has begun may be silent, in seconds;"
        " while heartbeats come, it may pause as long as it may take to begin.",
    )
    reply_timeout_s: float = Field(
        600,
        gt=0,
        validation_alias="IDOLCHAT_OPENROUTER_REPLY_TIMEOUT_S",
        description="How long a whole reply may take, retries included, in seconds.",
    )
    retries: int = Field(
        2,
        ge=0,
        le=10,
        validation_alias="IDOLCHAT_OPENROUTER_RETRIES",
        description="How often a call that fails before its first token is tried again.",
    )
    retry_max_wait_s: float = Field(
        10,
        ge=0,
        validation_alias="IDOLCHAT_OPENROUTER_RETRY_MAX_WAIT_S",
        description="Longest wait before a retry, in seconds; a server that wants a longer one is not asked again.",
    )
    max_reply_bytes: int = Field(
        64 * 1024 * 1024,
        gt=0,
        validation_alias="IDOLCHAT_OPENROUTER_MAX_REPLY_BYTES",
        description="Longest answer that is read, in bytes on the wire.",
    )
    done_is_finish: bool = Field(
        False,
        validation_alias="IDOLCHAT_OPENROUTER_DONE_IS_FINISH",
        description="true for a server whose streams end with [DONE] without a finish_reason: such a reply is good."
        " Otherwise it counts as cut.",
    )
    think_as_reasoning: bool = Field(
        False,
        validation_alias="IDOLCHAT_OPENROUTER_THINK_AS_REASONING",
        description="true for a server that leaves the thoughts of a model in its text: what stands in <think> at the"
        " beginning of a reply becomes its `reasoning` and stays out of later prompts.",
    )

    @field_validator("base_url")
    @classmethod
    def _usable_address(cls, value: str) -> str:
        url = _split(value.strip().rstrip("/"))
        if url is None or url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"must be a URL such as {OPENROUTER_URL}")
        if "@" in url.netloc or url.query or url.fragment:
            # Not a ValueError, whose message would repeat what may well be a key.
            raise ConfigurationError(
                "OPENROUTER_BASE_URL holds a user, a password, a query or a fragment;"
                " write the address alone, and the key into OPENROUTER_API_KEY"
            )
        if url.path.endswith("/chat/completions"):
            raise ValueError("must end before /chat/completions")
        return url.geturl()

    @field_validator("referer", "title", "api_key", "categories", "model", mode="after")
    @classmethod
    def _one_line(cls, value: object) -> object:
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if not text.isprintable():
            raise ValueError("must be one line of printable text")
        return value

    @field_validator("categories", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @property
    def key(self) -> str | None:
        """The key in the clear."""
        return self.api_key.get_secret_value() if self.api_key else None

    @property
    def host(self) -> str:
        """The name of the server in messages, with its port if the address has one."""
        return urlsplit(self.base_url).netloc

    @property
    def at_openrouter(self) -> bool:
        """Whether the server is OpenRouter itself, which needs a key."""
        host = urlsplit(self.base_url).hostname or ""
        return host == OPENROUTER_HOST or host.endswith(f".{OPENROUTER_HOST}")

    @property
    def speaks_openrouter(self) -> bool:
        """Whether the server takes OpenRouter's own fields."""
        return self.at_openrouter if self.dialect is Dialect.AUTO else self.dialect is Dialect.OPENROUTER


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read only here, and may be no number
        _ = (parts.hostname or "").encode("idna")  # as it will be looked up; raises a ValueError too
    except ValueError:
        return None
    return parts
