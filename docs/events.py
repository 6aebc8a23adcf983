"""Write ``events.md`` from the AsyncAPI document: ``python -m docs.events > docs/events.md``."""

import sys
from collections.abc import Iterator
from typing import Any

from docs.routes import Reference, Schema

from idolchat_api.streaming.asyncapi import document

HEAD = """\
# Events

What a stream and the WebSocket tell of a turn, from the AsyncAPI document, which a server gives as `/asyncapi.json`
and shows under `/docs/events`. Both tell the same: [turns](turns.md) says in which order, and how one reads on after a
cut.

Ids are UUIDs, times are UTC in ISO 8601. What is optional may be left out, and is not in every event; events may get
further fields.
"""
STREAM = """
`data:` lines are OpenAI's `chat.completion.chunk` objects, so OpenAI's clients read them:

```text
retry: 2000
id: 0199...:0
data: {"id": "chatcmpl-0199...", ..., "conversation_id": "...", "turn_id": "0199...", "user_message_id": "..."}

id: 0199...:1
data: {..., "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": null}]}

id: 0199...:2
data: {..., "choices": [{..., "finish_reason": "stop"}], "usage": {...}, "message_id": "...", "state": "completed"}

data: [DONE]
```

- What is wrong with a request is an HTTP status. What goes wrong in the turn is in the last chunk: `error` and
  `finish_reason` `error`, with `state` `failed` (there is no reply) or `incomplete` (`message_id` is the part that was
  kept). A turn that was stopped ends with `finish_reason` `cancelled`.
- Every reader of a turn gets the same events, byte for byte. `GET /turns/{turn_id}/stream` answers 204 to who has them
  all, which tells an `EventSource` to stop; 410 when they are no longer kept, the messages being in the conversation;
  and 400 for an event of another turn.
- While the model is silent, a comment comes every `IDOLCHAT_API_HEARTBEAT_S`. It has no empty line of its own, and
  `retry:` stands in the first event: OpenAI's Python client takes either for an event without data otherwise.
- U+0085, U+2028 and U+2029 are escaped, for readers that split lines there.
- `usage` has OpenAI's names here and in `chat.completion`, and those of the stored document everywhere else.
"""
SOCKET = """
Each frame is a JSON object of text with a `type`. Unknown fields are ignored; anything wrong is answered with an
`error`, and the socket stays open, but for a frame that is [far too large](limits.md). A client without an
`Authorization` header sends `auth` first ([who may call](security.md#who-may-call)). Without a conversation, the first
`message` begins one. Frames are done in the order they come, turns are followed side by side. `resume` of a turn that
is over tells at least its end. When the server stops, running turns end first, then the socket closes with 1012.
"""
PLACES = {
    "sendEvents": ("Server-sent events", STREAM),
    "receiveFrames": ("WebSocket: what a client sends", SOCKET),
    "sendFrames": ("WebSocket: what the server sends", ""),
}
"""Title of each operation, and what is to be known of it, in their order."""


class Events(Reference):
    """The AsyncAPI document, whose schemas are shown as those of routes are."""

    def __init__(self, described: Schema) -> None:
        self._document = _plainer(described)
        self._schemas = self._document["components"]["schemas"]
        self._shown = {}

    def contents(self) -> Iterator[str]:
        """Yield what each message is and holds, by where it goes."""
        for name, (title, text) in PLACES.items():
            operation = self._document["operations"][name]
            channel = self._document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
            yield f"\n## {title}\n\n`{channel['address']}`. {channel['description']}\n{text}"
            for reference in operation["messages"]:
                yield self._message(reference["$ref"].rpartition("/")[2])

    def _message(self, name: str) -> str:
        message = self._document["components"]["messages"][name]
        summary = message["summary"].replace("``", "`")
        fields = f"\n{self._table(self._schemas[name])}" if name in self._schemas else ""
        return f"\n### {name}\n\n{summary}\n{fields}"


def _plainer(value: Any) -> Any:
    """Write a list of exactly one thing as a list of such things, which says the same to a reader."""
    if isinstance(value, list):
        return [_plainer(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _plainer(inside) for name, inside in value.items()}
    return plain | {"items": plain["prefixItems"][0]} if "prefixItems" in plain else plain


def page() -> str:
    """Write the whole page."""
    events = Events(document())
    return "".join([HEAD, *events.contents(), *events.shapes()])


if __name__ == "__main__":
    sys.stdout.write(page())
