"""``GET /metrics``, behind a token of its own."""

from __future__ import annotations

import hmac

from starlette.types import Receive, Scope, Send

from idolchat_api.app_state import app_state
from idolchat_api.errors import Unauthenticated
from idolchat_api.observability.metrics import CONTENT_TYPE

__all__ = ["send_metrics"]


async def send_metrics(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the metrics. Raises ``Unauthenticated``.

    They are sent before anybody asks who is calling, for their token is none of a caller's.
    """
    app = app_state(scope)
    token, instrumentation = app.settings.metrics_token, app.instrumentation
    if token is None or instrumentation is None or instrumentation.metrics is None:
        raise AssertionError("asked only where there are metrics")
    given = dict(scope["headers"]).get(b"authorization", b"")
    if not hmac.compare_digest(given, b"Bearer " + token.get_secret_value().encode()):
        raise Unauthenticated("the metrics have a token of their own: send the header Authorization: Bearer <token>")
    body = instrumentation.metrics.text()
    headers = [(b"content-type", CONTENT_TYPE), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
