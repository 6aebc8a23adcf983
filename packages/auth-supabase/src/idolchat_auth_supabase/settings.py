"""Settings of this package."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from idolchat_core import PackageSettings

__all__ = ["HS256", "SupabaseAuthSettings"]

HS256 = "HS256"
ALGORITHMS = ("ES256", "RS256", HS256)
JWT_PARTS = 3
MIN_SECRET_BYTES = 32  # RFC 7518, section 3.2


class SupabaseAuthSettings(PackageSettings):
    """Whose tokens are good, and how that is told."""

    url: str = Field(
        "", validation_alias="SUPABASE_URL", description="Address of the Supabase project, https://<ref>.supabase.co."
    )
    algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        ("ES256", "RS256"),
        validation_alias="IDOLCHAT_SUPABASE_JWT_ALGORITHMS",
        description="How tokens may be signed, comma separated: ES256, RS256; or HS256 alone, for a project that has"
        " not moved to signing keys.",
    )
    secret: SecretStr | None = Field(
        None,
        validation_alias="SUPABASE_JWT_SECRET",
        description="Secret of HS256 tokens, of a self-hosted project; without it, the auth server is asked.",
    )
    anon_key: SecretStr | None = Field(
        None,
        validation_alias="SUPABASE_ANON_KEY",
        description="Public key of the project (anon or publishable): the page signs people in with it, and the auth"
        " server is asked with it about HS256 tokens.",
    )
    issuer: str | None = Field(
        None,
        validation_alias="IDOLCHAT_SUPABASE_ISSUER",
        description="Who must have issued a token; unset: SUPABASE_URL and /auth/v1.",
    )
    audience: str = Field(
        "authenticated",
        min_length=1,
        validation_alias="IDOLCHAT_SUPABASE_AUDIENCE",
        description="Whom a token must be for.",
    )
    allow_anonymous: bool = Field(
        False,
        validation_alias="IDOLCHAT_SUPABASE_ALLOW_ANONYMOUS",
        description="Let users in who signed in anonymously; anyone can make any number of those.",
    )
    leeway_s: float = Field(
        10,
        ge=0,
        le=120,
        validation_alias="IDOLCHAT_SUPABASE_LEEWAY_S",
        description="How far the clocks of the two servers may differ, in seconds.",
    )
    keys_max_age_s: float = Field(
        600,
        gt=0,
        le=600,
        validation_alias="IDOLCHAT_SUPABASE_KEYS_MAX_AGE_S",
        description="How long the project's signing keys are used before they are fetched again, in seconds.",
    )
    keys_cooldown_s: float = Field(
        30,
        ge=0,
        validation_alias="IDOLCHAT_SUPABASE_KEYS_COOLDOWN_S",
        description="Shortest time between two fetches of the signing keys, in seconds, whatever tokens come.",
    )
    keys_stale_s: float = Field(
        3600,
        ge=0,
        validation_alias="IDOLCHAT_SUPABASE_KEYS_STALE_S",
        description="How long signing keys are used on when they cannot be fetched again, in seconds.",
    )

    @field_validator("algorithms", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValueError("must be the address of the project, such as https://abcdefghijklmnop.supabase.co")
        return value.rstrip("/")

    @field_validator("anon_key")
    @classmethod
    def _is_public(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and _is_secret_key(value.get_secret_value()):
            raise ValueError(
                "must be the public key (anon, or sb_publishable_...), which every page is told: this is a secret one"
            )
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        unknown = [name for name in self.algorithms if name not in ALGORITHMS]
        if unknown or not self.algorithms:
            raise ValueError(f"IDOLCHAT_SUPABASE_JWT_ALGORITHMS must be of {', '.join(ALGORITHMS)}")
        if HS256 in self.algorithms and len(self.algorithms) > 1:
            raise ValueError(
                "IDOLCHAT_SUPABASE_JWT_ALGORITHMS must not mix HS256 with the others: move the project to signing keys"
            )
        if HS256 in self.algorithms and self.secret is None and self.anon_key is None:
            raise ValueError("for HS256, set SUPABASE_ANON_KEY (or SUPABASE_JWT_SECRET, of a self-hosted project)")
        if self.secret is not None and len(self.secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"SUPABASE_JWT_SECRET must have at least {MIN_SECRET_BYTES} bytes")
        return self

    @property
    def auth_url(self) -> str:
        """The address of the project's auth server."""
        return f"{self.url}/auth/v1"


def _is_secret_key(key: str) -> bool:
    """Whether a key opens everything: ``sb_secret_...``, or a JWT of another role than ``anon``."""
    if key.startswith("sb_secret_"):
        return True
    parts = key.split(".")
    if len(parts) != JWT_PARTS:
        return False
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:  # no JWT after all
        return False
    return isinstance(claims, dict) and claims.get("role") != "anon"
