"""``GET /metrics``, behind a token of its own."""

from __future__ import annotations

import hmac

from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from idolchat_api.errors import Unauthenticated
from idolchat_api.observability.metrics import CONTENT_TYPE, Metrics

__all__ = ["MetricsEndpoint"]


class MetricsEndpoint:
    """Sends the metrics to callers with their token, which is not a caller's token. Raises ``Unauthenticated``."""

    def __init__(self, metrics: Metrics, token: SecretStr) -> None:
        self._metrics = metrics
        self._authorization = b"Bearer " + token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(given, self._authorization):
            raise Unauthenticated(
                "the metrics have a token of their own: send the header Authorization: Bearer <token>"
            )
        body = self._metrics.text()
        headers = [(b"content-type", CONTENT_TYPE), (b"content-length", b"%d" % len(body))]
        await send(
            {"type": "http.response.start", "status": 200, "headers": [*headers, (b"cache-control", b"no-store")]}
        )
        await send({"type": "http.response.body", "body": body})
