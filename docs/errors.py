"""Write ``errors.md`` from the tree of errors: ``python docs/errors.py > docs/errors.md``."""

import inspect
import sys

from idolchat_api.errors import STATUSES
from idolchat_core import IdolchatError
from idolchat_core.errors import RequestError

HEAD = """\
# Errors

Every error has one form, over REST and in a stream; over the WebSocket the same fields stand in a frame `error`:

```json
{"error": {"code": "conversation_not_found", "message": "...", "type": "invalid_request_error", "request_id": "..."}}
```

`message` is for people, and says what was wanted, what was found and what to do; it may change. `code` is for
programs, and does not. `param` names the field, `retry_after_s` when to come back (and `Retry-After`), `turn_id` the
turn that can be retried. A stream that has begun has the status 200: its last event carries the error. `/v1` answers as
OpenAI does: a request that is wrong is a 400 `invalid_value`.

| code | status | what it means | what to do |
|---|---|---|---|
"""

NO_EXCEPTION = """\
| `method_not_allowed` | 405 | The path does not take this method. | use one that the message names |
| `request_timeout` | 408 | The request took too long to arrive. | send it faster; see [limits](limits.md) |
| `head_too_large` | 431 | The head of the request is larger than the server reads. | send fewer or shorter headers |
| `too_many_connections` | 503 | Too many connections are open. | close some, or come back later |
"""
"""What is answered before a route is reached, or where there is none."""

WHAT_TO_DO = {
    "internal_error": "report it with its `request_id`; the server's log has the traceback",
    "configuration_error": "`idol doctor`",
    "plugin_error": "`idol plugins list`, `idol doctor`",
    "plugin_not_found": "install the plugin, or mend the name in the setting",
    "plugin_name_taken": "uninstall one of the two, or name the one to load in `IDOLCHAT_PLUGINS`",
    "plugin_broken": "update or uninstall the plugin",
    "invalid_request": "mend the field that `param` names",
    "malformed_request": "send JSON, and well-formed headers",
    "unauthenticated": "send `Authorization: Bearer ...` with a token that is valid",
    "token_expired": "get a fresh token, and read on where the stream was",
    "forbidden": "ask the operator, or leave out what `param` names",
    "origin_not_allowed": "add the page's origin to `IDOLCHAT_API_ALLOWED_ORIGINS`",
    "not_found": "check the id, and whose token it is",
    "precondition_failed": "read it again, and repeat the change with the new `ETag`",
    "body_too_large": "send less, or raise `IDOLCHAT_API_MAX_BODY_BYTES`",
    "unsupported_media_type": "send `Content-Type: application/json`, not compressed",
    "host_not_allowed": "add the name to `IDOLCHAT_API_ALLOWED_HOSTS`",
    "auth_unavailable": "repeat it later: the login service cannot be reached",
    "conversation_mismatch": "leave out the id that `param` names, or begin another conversation",
    "conversation_busy": "wait for the running turn, cancel it, or send `on_busy: enqueue`",
    "queue_full": "repeat it after `retry_after_s`",
    "idempotency_key_reused": "use a new key for a new request",
    "turn_not_found": "check the id, and whose token it is",
    "turn_expired": "read the conversation: the messages are there",
    "turn_not_retryable": "send a new message, or regenerate the reply",
    "turn_over": "nothing: it has ended",
    "shutting_down": "repeat it after `Retry-After`, with the same `Idempotency-Key`",
    "spending_stopped": "an operator resumes it: `idol usage resume`",
    "rate_limit_exceeded": "repeat it after `Retry-After`",
    "insufficient_quota": "wait for the next day or month, or raise the budget",
    "storage_error": "the server's log says what the storage met",
    "conversation_not_found": "check the id, and whose token it is",
    "conversation_damaged": "`idol storage repair`",
    "storage_conflict": "read it again, and repeat the change",
    "revision_mismatch": "read it again, and repeat the change with the new `ETag`",
    "conversation_exists": "choose another id",
    "storage_unavailable": "repeat it later with the same `Idempotency-Key`; `/health` says what is wrong",
    "provider_error": "retry the turn: the message is stored",
    "provider_unavailable": "retry the turn: the message is stored",
    "provider_timeout": "retry the turn, or choose a faster model",
    "reply_cut": "retry the turn; what was said is stored",
    "rate_limited": "retry the turn after `retry_after_s`",
    "context_length_exceeded": "shorten the message or the instructions, or lower `max_tokens`",
    "provider_not_authorized": "the operator mends the provider's key",
    "payment_required": "the operator adds credit at the provider",
    "model_not_found": "choose another model; `GET /models` lists them",
    "request_refused": "change the request: the provider will not answer it as it is",
}


def meaning(kind: type[IdolchatError]) -> str:
    """Return the first sentence of an error's docstring."""
    return (
        " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split()).replace("``", "`").replace("|", r"\|")
    )


def page() -> str:
    """Write the whole page."""
    rows: dict[str, str] = {}
    for kind, (status, _) in STATUSES.items():
        if kind is RequestError:  # only ever raised as one of those below, of which one has its code
            continue
        rows.setdefault(kind.code, f"| `{kind.code}` | {status} | {meaning(kind)} | {WHAT_TO_DO[kind.code]} |\n")
    return HEAD + "".join(rows.values()) + NO_EXCEPTION


if __name__ == "__main__":
    sys.stdout.write(page())
