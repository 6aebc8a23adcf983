"""Settings of this package."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr

from idolchat_core import ConfigurationError, PackageSettings

__all__ = ["VARIABLE", "RedisSettings"]

VARIABLE = "IDOLCHAT_REDIS_URL"
EXAMPLE = "redis://USER:PASSWORD@redis.example.org:6379"


class RedisSettings(PackageSettings):
    """Which Redis."""

    url: SecretStr | None = Field(
        None,
        validation_alias=VARIABLE,
        description="Address of a Redis or Valkey, or of any node of a cluster: redis://user:password@host:6379;"
        " rediss:// with TLS, unix:///path for a socket.",
    )

    @property
    def address(self) -> str:
        """The address, with its password. Raises ``ConfigurationError``."""
        text = self.url.get_secret_value().strip() if self.url is not None else ""
        if not text:
            raise ConfigurationError(
                f"the bus redis needs {VARIABLE}, which is not set; write the address of a Redis or Valkey, such as"
                f" {EXAMPLE}"
            )
        parts = _split(text)
        if parts is None or not (parts.hostname if parts.scheme in ("redis", "rediss") else parts.path):
            # What was found is not shown: it may hold a password.
            raise ConfigurationError(f"{VARIABLE} is no address of a Redis; write one such as {EXAMPLE}")
        return text

    @property
    def where(self) -> str:
        """The name of the server in messages, without its password."""
        parts = urlsplit(self.address)
        return parts.netloc.rpartition("@")[2] or parts.path


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read only here, and may be no number
    except ValueError:
        return None
    return parts if parts.scheme in ("redis", "rediss", "unix") else None
