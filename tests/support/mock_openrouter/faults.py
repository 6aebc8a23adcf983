"""Responses that refuse, by name.

Forms are those of OpenRouter's documentation of 2026-08-22, of OpenAI, vLLM and llama.cpp's server.
"""

from typing import Any

from tests.support.mock_openrouter.wire import JSON, dumps, response

REASONS = {
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    408: "Request Timeout", 413: "Payload Too Large", 422: "Unprocessable Entity", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    524: "A Timeout Occurred", 529: "Overloaded",
}  # fmt: skip

MESSAGES = {
    400: "max_tokens: must be at least 16", 401: "User not found.", 402: "Insufficient credits",
    403: "Key limit exceeded", 404: "No endpoints found for this model", 408: "Request timed out",
    413: "Request body too large", 422: "temperature: must be at most 2", 429: "Rate limited", 500: "Internal error",
    503: "No instances available", 504: "Upstream timed out", 524: "Origin timed out", 529: "Provider overloaded",
}  # fmt: skip

# error.availability.code -> status and whether it says that the same request may be tried again
AVAILABILITY = {
    "model_not_found": (400, False), "wrong_endpoint": (400, False), "no_endpoints": (404, False),
    "model_deprecated": (404, False), "model_unavailable_upstream": (404, False), "capacity_exhausted": (429, True),
    "temporarily_unavailable": (503, True), "region_restricted": (403, False), "privacy_restricted": (404, False),
    "constraint_filtered": (404, False), "free_variant_ended": (404, False),
}  # fmt: skip

TOO_LONG = "maximum context length is 4096 tokens. However, you requested about 5000 tokens"
BODIES: dict[str, tuple[int, Any]] = {
    "moderation": (403, {"error": {"code": 403, "message": "Your chosen model requires moderation", "metadata": {
        "reasons": ["harassment"], "flagged_input": "something that was said", "provider_name": "Mock",
        "model_slug": "mock/model"}}}),
    "guardrail": (403, {"error": {"code": 403, "message": "Blocked by a guardrail", "metadata": {
        "error_type": "permission_denied", "patterns": ["secret"]}}}),
    "quota": (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your quota",
        "type": "insufficient_quota", "param": None}}),
    "ctx": (400, {"error": {"code": 400, "message": f"This endpoint's {TOO_LONG}.", "metadata": {
        "provider_name": "Mock"}}}),
    "ctxtype": (400, {"error": {"code": 400, "message": "Too long", "metadata": {
        "error_type": "context_length_exceeded", "provider_code": "string_above_max_length"}}}),
    "ctxopenai": (400, {"error": {"code": "context_length_exceeded", "message": f"This model's {TOO_LONG}.",
        "type": "invalid_request_error", "param": "messages"}}),
    "ctxvllm": (400, {"object": "error", "message": f"This model's {TOO_LONG}.", "type": "BadRequestError",
        "param": None, "code": 400}),
    "ctxllamacpp": (400, {"error": {"code": 400, "message": "the request exceeds the available context size",
        "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}}),
    "hopeless": (503, {"error": {"message": "No instances available", "availability": {
        "code": "temporarily_unavailable", "retryable": False}}}),
    "detail": (404, {"detail": "Not Found"}),
    "errortext": (500, {"error": "something broke"}),
    "nomodel": (404, {"error": {"code": "model_not_found", "message": "The model does not exist",
        "type": "invalid_request_error", "param": None}}),
}  # fmt: skip


def error_reply(status: int, body: Any, retry_after: str | None = None) -> bytes:
    extra = f"retry-after: {retry_after}\r\n" if retry_after is not None else ""
    return response(f"{status} {REASONS[status]}", dumps(body), JSON, extra)


def failure(code: int | str, message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


RESPONSES = {
    "502": response("502 Bad Gateway", b"<html><h1>502 Bad Gateway</h1></html>", "text/html"),
    "html": response("200 OK", b"<html><h1>Log in to the network</h1></html>", "text/html"),
    "retrydate": error_reply(429, failure(429, MESSAGES[429]), "Fri, 31 Dec 9999 23:59:59 GMT"),
    "retrypast": error_reply(429, failure(429, MESSAGES[429]), "Thu, 01 Jan 1970 00:00:00 GMT"),
    "redirect": response("307 Temporary Redirect", b"", "text/plain", "location: /api/v1/trap/chat/completions\r\n"),
    "errjson": response("200 OK", dumps(failure(502, "Provider returned error"))),
}


def refusal(name: str, retry_after: str | None) -> bytes | None:
    """Make the response of a fault that is an HTTP response of its own; None for another."""
    if name in RESPONSES:
        return RESPONSES[name]
    if name in AVAILABILITY:
        return _unavailable(name, retry_after)
    if name in BODIES:
        status, body = BODIES[name]
        return error_reply(status, body, retry_after)
    if name.isdigit():
        status = int(name)
        default = "1" if status == 429 else None
        return error_reply(status, failure(status, MESSAGES[status]), retry_after or default)
    return None


def _unavailable(code: str, retry_after: str | None) -> bytes:
    status, retryable = AVAILABILITY[code]
    availability = {"code": code, "retryable": retryable, "retry_after": 1 if retryable else None}
    body = {"error": {"message": f"Unavailable: {code}", "http_status": status, "availability": availability}}
    return error_reply(status, body, retry_after)
