"""Settings of metrics."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

__all__ = ["ObservingSettings"]


class ObservingSettings(BaseSettings):
    """Who may read the metrics; traces are configured by OpenTelemetry's own variables."""

    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        validation_alias="IDOLCHAT_METRICS_TOKEN",
        description="Bearer token of /metrics, of at least 16 characters; without it there are no metrics.",
    )
