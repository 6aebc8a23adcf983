"""CORS (Fetch standard, section 3.3): what pages of other origins may do, and how to let them."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response

__all__ = ["CORS"]

HTTP_OK = 200


class CORS(CORSMiddleware):
    """Starlette's middleware, whose refusals say which setting decides them."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight request."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTP_OK:
            return answer
        refusal = PlainTextResponse(f"{bytes(answer.body).decode()}. {self._remedy(request_headers)}", status_code=400)
        for name, value in answer.headers.items():
            refusal.headers.setdefault(name, value)
        return refusal

    def _remedy(self, request_headers: Headers) -> str:
        if not self.is_allowed_origin(origin=request_headers["origin"]):
            return "To let this origin in, add it to IDOLCHAT_API_ALLOWED_ORIGINS."
        return f"A page may send {', '.join(self.allow_methods)}."
