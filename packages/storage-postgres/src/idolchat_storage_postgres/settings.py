"""Settings of this package."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from pydantic import Field, SecretStr

from idolchat_core import ConfigurationError, PackageSettings

__all__ = ["VARIABLE", "PostgresSettings"]

VARIABLE = "IDOLCHAT_POSTGRES_URL"
_EXAMPLE = "postgresql://idolchat:PASSWORD@db.example.org:5432/idolchat"
_LIBPQ_ALONE = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "requirepeer",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)
"""Parameters of libpq that say how it connects, which others take for settings of the server."""


class PostgresSettings(PackageSettings):
    """Which database, and how long its answers may take."""

    url: SecretStr | None = Field(
        None,
        validation_alias=VARIABLE,
        description=f"Address of the database, as libpq reads it: {_EXAMPLE}.",
    )
    connections: int = Field(
        8,
        ge=1,
        le=1000,
        validation_alias="IDOLCHAT_POSTGRES_CONNECTIONS",
        description="How many connections of one process may read at once; nine more do all else.",
    )
    connect_timeout_s: float = Field(
        5,
        gt=0,
        validation_alias="IDOLCHAT_POSTGRES_CONNECT_TIMEOUT_S",
        description="How long connecting may take, in seconds.",
    )
    timeout_s: float = Field(
        30,
        gt=0,
        validation_alias="IDOLCHAT_POSTGRES_TIMEOUT_S",
        description="How long the answer to one statement may take, in seconds.",
    )

    @property
    def address(self) -> str:
        """The address, with its password. Raises ``ConfigurationError``."""
        text = self.url.get_secret_value().strip() if self.url is not None else ""
        if not text:
            raise ConfigurationError(
                f"the storage postgres needs {VARIABLE}, which is not set; write the address of a database,"
                f" such as {_EXAMPLE}"
            )
        parts = _split(text)
        if parts is None or parts.scheme not in ("postgresql", "postgres"):
            # What was found is not shown: it may hold a password.
            raise ConfigurationError(f"{VARIABLE} is no URL of a database; write one such as {_EXAMPLE}")
        kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in _LIBPQ_ALONE]
        return parts._replace(query=urlencode(kept)).geturl()

    @property
    def where(self) -> str:
        """The name of the database in messages, without its password."""
        parts = urlsplit(self.address)
        host = parts.netloc.rpartition("@")[2] or dict(parse_qsl(parts.query)).get("host") or "the default host"
        return f"{unquote(parts.path.lstrip('/')) or 'the default database'} at {host}"


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None
