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
PLACES = {
    "sendEvents": "Server-sent events",
    "receiveFrames": "WebSocket: what a client sends",
    "sendFrames": "WebSocket: what the server sends",
}
"""Title of each operation, in their order."""


class Events(Reference):
    """The AsyncAPI document, whose schemas are shown as those of routes are."""

    def __init__(self, described: Schema) -> None:
        self._document = _plainer(described)
        self._schemas = self._document["components"]["schemas"]
        self._shown = {}

    def contents(self) -> Iterator[str]:
        """Yield what each message is and holds, by where it goes."""
        for name, title in PLACES.items():
            operation = self._document["operations"][name]
            channel = self._document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
            yield f"\n## {title}\n\n`{channel['address']}`. {channel['description']}\n"
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
