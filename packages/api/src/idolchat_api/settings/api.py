"""Settings of the server."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import NoDecode

from idolchat_api.settings.auth import RequestPolicySettings
from idolchat_api.settings.limits import LimitSettings
from idolchat_api.settings.observability import ObservabilitySettings
from idolchat_core.settings import CoreSettings

__all__ = ["ApiSettings"]

MIB = 1024 * 1024

_HOST = re.compile(r"\*|[\w.-]+|\[[0-9a-f:.]+\]", re.ASCII)
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://([\w.-]+|\[[0-9a-f:.]+\])(:\d+)?", re.ASCII)
"""What a browser sends; of a page without an origin, such as a file, ``null``."""


class ApiSettings(ObservabilitySettings, LimitSettings, RequestPolicySettings, CoreSettings):
    """Where the server listens, what it accepts, and how it logs; includes core's settings."""

    host: str = Field("127.0.0.1", min_length=1, validation_alias="IDOLCHAT_HOST", description="Address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, validation_alias="IDOLCHAT_PORT", description="Port to listen on; 0 takes a free one."
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        validation_alias=AliasChoices("IDOLCHAT_WORKERS", "WEB_CONCURRENCY"),
        description="How many processes serve, one a core of the machine; more than 1 need a storage that they share.",
    )
    auth: str = Field(
        "none",
        validation_alias="IDOLCHAT_AUTH",
        description="How callers say who they are: none, api-key, or a scheme of a plugin, such as supabase.",
    )
    allow_open: bool = Field(
        False,
        validation_alias="IDOLCHAT_ALLOW_OPEN",
        description="Serve without a login on an address that others may reach.",
    )
    max_body_bytes: int = Field(
        8 * MIB, ge=1024, validation_alias="IDOLCHAT_API_MAX_BODY_BYTES", description="Largest request body."
    )
    max_ws_message_bytes: int = Field(
        8 * MIB,
        ge=1024,
        validation_alias="IDOLCHAT_API_MAX_WS_MESSAGE_BYTES",
        description="Largest WebSocket message; one more than twice as long closes the socket.",
    )
    heartbeat_s: float = Field(
        15,
        gt=0,
        validation_alias="IDOLCHAT_API_HEARTBEAT_S",
        description="Longest silence in an open stream or socket before a heartbeat, in seconds.",
    )
    ws_auth_timeout_s: float = Field(
        10,
        gt=0,
        validation_alias="IDOLCHAT_API_WS_AUTH_TIMEOUT_S",
        description="How long a socket that came without a token may take to send one, in seconds.",
    )
    docs: Literal["auto", "on", "off"] = Field(
        "auto",
        validation_alias="IDOLCHAT_API_DOCS",
        description="Whether /docs and /openapi.json are served, to anyone; auto: where there is no login.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="IDOLCHAT_API_ALLOWED_HOSTS",
        description="Host names that requests may be made to, comma separated, beside the loopback ones;"
        " unset allows only those on a loopback address, and all on another.",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="IDOLCHAT_API_ALLOWED_ORIGINS",
        description="Origins of web pages that may use the API, comma separated, such as https://chat.example.com.",
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[\w.~-]+)*$",
        validation_alias="IDOLCHAT_API_ROOT_PATH",
        description="Path that a proxy serves everything under, such as /idol, whether it takes it off or passes it on;"
        " trusted proxies may tell it in X-Forwarded-Prefix instead.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="IDOLCHAT_API_LOG_LEVEL", description="What is logged: this level and above."
    )
    log_format: Literal["text", "json"] = Field(
        "text", validation_alias="IDOLCHAT_API_LOG_FORMAT", description="Plain lines, or one JSON object a line."
    )

    @property
    def shows_docs(self) -> bool:
        """Whether ``/docs`` and ``/openapi.json`` are served."""
        return self.docs == "on" or (self.docs == "auto" and self.auth == "none")

    @field_validator("allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _lower_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip().lower().rstrip("/") for name in value.split(",") if name.strip())
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _HOST.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no host name; write it without scheme and port, such as chat.example.com"
                )
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin; write scheme and host, and a port where there is one, such as"
                    " https://chat.example.com"
                )
        return value
