"""Settings of this package."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator

from idolchat_core import ConfigurationError, PackageSettings

__all__ = ["SupabaseSettings"]

_BUCKET_NAME = re.compile(r"[A-Za-z0-9_!.*'() &$=@;:+,?-]{1,100}")  # storage-api, limits.ts, read 2026-11-23


class SupabaseSettings(PackageSettings):
    """Which project, and how long its answers may take."""

    url: str | None = Field(
        None,
        validation_alias="SUPABASE_URL",
        description="Address of a project, such as https://abc.supabase.co; every conversation is copied there.",
    )
    service_role_key: SecretStr | None = Field(
        None,
        validation_alias="SUPABASE_SERVICE_ROLE_KEY",
        description="The project's secret key: sb_secret_..., or the older service_role JWT.",
    )
    bucket: str = Field(
        "conversations",
        validation_alias="SUPABASE_STORAGE_BUCKET",
        description="Bucket that holds the conversations; made, and private, where it is missing.",
    )
    connect_timeout_s: float = Field(
        5,
        gt=0,
        validation_alias="IDOLCHAT_SUPABASE_CONNECT_TIMEOUT_S",
        description="How long connecting may take, in seconds.",
    )
    timeout_s: float = Field(
        30,
        gt=0,
        validation_alias="IDOLCHAT_SUPABASE_TIMEOUT_S",
        description="How long one try of a call may take in all, in seconds.",
    )
    retries: int = Field(
        2,
        ge=0,
        le=10,
        validation_alias="IDOLCHAT_SUPABASE_RETRIES",
        description="How often a call that fails in passing is tried again; each may be repeated without harm.",
    )
    retry_max_wait_s: float = Field(
        2,
        ge=0,
        validation_alias="IDOLCHAT_SUPABASE_RETRY_MAX_WAIT_S",
        description="Longest wait before a retry, in seconds.",
    )
    cache_bytes: int = Field(
        64 * 1024 * 1024,
        ge=0,
        validation_alias="IDOLCHAT_SUPABASE_CACHE_BYTES",
        description="Memory for documents that were read or written last; 0 keeps none.",
    )
    cache_age_s: float = Field(
        60,
        ge=0,
        validation_alias="IDOLCHAT_SUPABASE_CACHE_AGE_S",
        description="How long a kept document is taken for the newest, in seconds.",
    )

    auth: str = Field(
        "none",
        validation_alias="IDOLCHAT_AUTH",
        description="Who lets users in; with supabase, SUPABASE_URL may be set for that alone.",
    )

    @field_validator("url")
    @classmethod
    def _usable_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = _split(value.strip().rstrip("/"))
        if url is None or url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("must be a URL such as https://abc.supabase.co")
        if "@" in url.netloc or url.query or url.fragment:
            # Not a ValueError, whose message would repeat what may well be a key.
            raise ConfigurationError(
                "SUPABASE_URL holds a user, a password, a query or a fragment;"
                " write the address alone, and the key into SUPABASE_SERVICE_ROLE_KEY"
            )
        if re.search(r"/(rest|storage|auth)/v1", url.path):
            raise ValueError("must end before /rest/v1 or /storage/v1")
        return url.geturl()

    @field_validator("service_role_key")
    @classmethod
    def _one_word(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("must be one line of letters, digits and punctuation")
        if text.startswith("sb_publishable_"):
            raise ValueError("is a publishable key; the secret one, sb_secret_..., is needed")
        return SecretStr(text) if text else None

    @field_validator("bucket")
    @classmethod
    def _bucket_name(cls, value: str) -> str:
        if not _BUCKET_NAME.fullmatch(value) or value.strip() != value or not value.strip("."):
            raise ValueError("is no name for a bucket: up to 100 letters, digits, - _ . without a slash")
        return value

    @property
    def is_asked_for(self) -> bool:
        """Whether conversations are to be kept there.

        Raises ``ConfigurationError`` for an address without a key, unless it is there to let users in.
        """
        if self.url is None or (self.service_role_key is None and "supabase" in self.auth):
            return False
        self.access()
        return True

    def access(self) -> tuple[str, str]:
        """Return the address and the key. Raises ``ConfigurationError`` where one is missing."""
        if self.url is None:
            raise ConfigurationError(
                "the storage supabase needs SUPABASE_URL, which is not set; write the address of your project,"
                " such as https://abc.supabase.co"
            )
        if self.service_role_key is None:
            raise ConfigurationError(
                "SUPABASE_URL is set, but SUPABASE_SERVICE_ROLE_KEY is not; write the project's secret key"
                " (dashboard: Project Settings, API Keys), or IDOLCHAT_STORAGE=local to keep conversations here alone"
            )
        return self.url, self.service_role_key.get_secret_value()

    @property
    def host(self) -> str:
        """The name of the project in messages."""
        return urlsplit(self.url or "").netloc


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read only here, and may be no number
    except ValueError:
        return None
    return parts
