"""Settings of limits on requests and connections."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from idolchat_api.addresses import Networks

__all__ = ["LimitSettings"]

KIB = 1024


class LimitSettings(BaseSettings):
    """Limits on the rate, size and speed of requests, and on connections."""

    user_requests_per_minute: int = Field(
        300,
        ge=0,
        validation_alias="IDOLCHAT_API_USER_REQUESTS_PER_MINUTE",
        description="Requests and WebSocket frames that one user may send in a minute; 0 for no limit.",
    )
    address_requests_per_minute: int = Field(
        1200,
        ge=0,
        validation_alias="IDOLCHAT_API_ADDRESS_REQUESTS_PER_MINUTE",
        description="The same for one client address, except this machine's own, and keys that act for any user.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="IDOLCHAT_API_TRUSTED_PROXIES",
        description="Addresses or networks of proxies, comma separated: their X-Forwarded-For names the client.",
    )
    max_connections: int = Field(
        10_000,
        ge=1,
        validation_alias="IDOLCHAT_API_MAX_CONNECTIONS",
        description="Open connections, all together; fewer where the system allows fewer open files.",
    )
    address_max_connections: int = Field(
        512,
        ge=0,
        validation_alias="IDOLCHAT_API_ADDRESS_MAX_CONNECTIONS",
        description="Open connections from one address, except this machine's own and trusted proxies; 0 for no limit.",
    )
    max_header_bytes: int = Field(
        32 * KIB,
        ge=1024,
        validation_alias="IDOLCHAT_API_MAX_HEADER_BYTES",
        description="Largest head of a request: its first line and all headers.",
    )
    max_headers: int = Field(
        100, ge=10, validation_alias="IDOLCHAT_API_MAX_HEADERS", description="Most headers of a request."
    )
    header_timeout_s: float = Field(
        20,
        gt=0,
        validation_alias="IDOLCHAT_API_HEADER_TIMEOUT_S",
        description="How long a new connection may take to send the head of its first request, and any head to end.",
    )
    body_timeout_s: float = Field(
        20,
        gt=0,
        validation_alias="IDOLCHAT_API_BODY_TIMEOUT_S",
        description="How long a body may take, in seconds, and a second more for each 500 bytes that have come.",
    )
    read_timeout_s: float = Field(
        60,
        gt=0,
        validation_alias="IDOLCHAT_API_READ_TIMEOUT_S",
        description="How long a client may leave a reply unread that waits for it, in seconds.",
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _addresses(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Networks(value)
        return value
