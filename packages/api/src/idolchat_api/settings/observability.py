"""Settings of metrics."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

__all__ = ["ObservabilitySettings"]


class ObservabilitySettings(BaseSettings):
    """Settings of metrics; OpenTelemetry's own variables configure traces."""

    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        validation_alias="IDOLCHAT_METRICS_TOKEN",
        description="Bearer token of /metrics, of at least 16 characters; without it there are no metrics.",
    )
