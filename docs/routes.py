"""Write ``routes.md`` from the OpenAPI document of the product: ``python docs/routes.py > docs/routes.md``."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from idolchat_api import ApiSettings, create_app
from idolchat_api.http.authorization import protect_routes, rule_of
from idolchat_api.http.openapi import COMPLETION_SCHEMA

PLUGINS = ("api-openai", "characters", "memory", "web")
HEAD = """\
# Routes

Every route of a server with all packages, from its OpenAPI document, which a server shows under `/docs` and gives as
`/openapi.json`. Bodies and answers are JSON, ids are UUIDs, times are UTC in ISO 8601. What is optional may be left
out of a body, and is not in every answer. Answers may get further fields.

Each route says which scope a token needs: `read`, `chat` or `admin` ([who may call](security.md#who-may-call)); on
loopback without a login nobody needs one. A user's token sees and changes what is that user's; anything else is
answered with 404, as an unknown id is. The errors that a route has of its own stand with it, as far as its package
names them. Any route may answer 401 `unauthenticated`, 403 `forbidden` or `origin_not_allowed`, 421 `host_not_allowed`,
422 `invalid_request`, 429 `rate_limit_exceeded` and 500 `internal_error`; [Errors](errors.md) says what to do.

Beside these there is the WebSocket `/ws/chat`, which carries the same turns. [Events](events.md) has its frames, and
the events of a stream.
"""
GROUPS = {
    "chat": ("Chat", "turns"),
    "turns": ("Turns", "turns"),
    "conversations": ("Conversations", "conversations"),
    "models": ("Models", "how-to/providers"),
    "usage": ("Usage", "spending"),
    "health": ("Health", "observability"),
    "characters": ("Characters: `idolchat-characters`", "characters"),
    "personas": ("Personas: `idolchat-characters`", "characters"),
    "lorebooks": ("Lorebooks: `idolchat-characters`", "lorebooks"),
    "memory": ("Memory: `idolchat-memory`", "memory"),
    "openai": ("As OpenAI's: `idolchat-api-openai`", "v1"),
    "web": ("The page: `idolchat-web`", "web"),
}
"""Title and page of each tag, in their order."""
EVERYWHERE = frozenset(
    {
        "unauthenticated",
        "forbidden",
        "origin_not_allowed",
        "host_not_allowed",
        "invalid_request",
        "rate_limit_exceeded",
        "internal_error",
    }
)
CODE = re.compile(r"`(\w+)`: ")
PLAIN_DESCRIPTIONS = frozenset({"As asked.", "Successful Response"})
WORDS = {"uuid": "id", "date-time": "time", "date": "day", "binary": "bytes"}

Schema = dict[str, Any]


def page() -> str:
    """Write the whole page."""
    settings = ApiSettings(plugins=PLUGINS, auth="none", docs="on", root_path="")
    app = create_app(settings=settings)
    protect_routes(app.routes)
    reference = Reference(app)
    return "".join([HEAD, *reference.contents(), *reference.operations(), *reference.shapes()])


class Reference:
    """The document of an application, and who may call its routes."""

    def __init__(self, app: FastAPI) -> None:
        document = app.openapi()
        self._schemas: dict[str, Schema] = {**document["components"]["schemas"], "Completion": COMPLETION_SCHEMA}
        self._scopes = dict(_scopes(app))
        self._groups: dict[str, list[tuple[str, str, Schema]]] = {tag: [] for tag in GROUPS}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                self._groups[operation["tags"][0]].append((method.upper(), path, operation))
        self._shown: dict[str, None] = {}

    def contents(self) -> Iterator[str]:
        """Yield a table of the routes."""
        yield "\n| route | |\n|---|---|\n"
        for operations in self._groups.values():
            for method, path, operation in operations:
                route = f"{method} {path}"
                yield f"| [`{route}`](#{_anchor(route)}) | {_first_sentence(_text(operation))} |\n"

    def operations(self) -> Iterator[str]:
        """Yield what there is to say of each route."""
        for tag, operations in self._groups.items():
            title, about = GROUPS[tag]
            yield f"\n## {title}\n\nWhat it is for: [{about}.md]({about}.md).\n"
            for method, path, operation in operations:
                yield f"\n### `{method} {path}`\n\n{_text(operation)}\n\n{self._who(method, path)}\n"
                yield from self._parameters(operation)
                yield from self._body(operation)
                yield from self._answers(operation)

    def shapes(self) -> Iterator[str]:
        """Yield the fields of each object that was named, and of those that these name."""
        yield "\n## Objects\n"
        tables: dict[str, str] = {}
        while left := self._shown.keys() - tables.keys():  # a table may name further ones
            name = min(left)
            tables[name] = self._shape(name)
        yield from (tables[name] for name in sorted(tables))

    def _who(self, method: str, path: str) -> str:
        scope = self._scopes[method, path]
        return f"Scope: `{scope}`." if scope else "Needs no token."

    def _parameters(self, operation: Schema) -> Iterator[str]:
        rows = [
            f"| {_name(one['name'], is_optional=not one.get('required'))} | {one['in']}"
            f" | {self._type(one['schema']).removesuffix(' or null')} | {self._meaning(one)} |\n"
            for one in operation.get("parameters") or ()
        ]
        if rows:
            yield f"\n| parameter | in | type | meaning |\n|---|---|---|---|\n{''.join(rows)}"

    def _body(self, operation: Schema) -> Iterator[str]:
        body = operation.get("requestBody")
        if body is None:
            return
        lead = "Body" if body.get("required") else "Body, which may be left out"
        for kind, content in body["content"].items():
            yield f"\n{lead}{'' if 'json' in kind else f', `{kind}`'}: {self._described(content.get('schema', {}))}"

    def _answers(self, operation: Schema) -> Iterator[str]:
        errors: dict[str, list[str]] = {}
        for status, reply in operation["responses"].items():
            codes = [code for code in CODE.findall(reply["description"]) if code not in EVERYWHERE]
            if codes:
                errors[status] = codes
            elif status[0] in "23" or (status == "503" and not CODE.search(reply["description"])):
                yield self._answer(status, reply)
        if errors:
            listed = (f"{status} {', '.join(f'`{code}`' for code in errors[status])}" for status in sorted(errors))
            yield f"\nErrors: {'; '.join(listed)}.\n"

    def _answer(self, status: str, reply: Schema) -> str:
        kinds = [self._content(kind, one.get("schema", {})) for kind, one in reply.get("content", {}).items()]
        said = "" if reply["description"] in PLAIN_DESCRIPTIONS else f" {reply['description']}"
        what = _or(kinds) or ("no body" if status in ("204", "304") else "")
        return f"\nAnswer: {status}{what and f', {what}'}.{said}\n"

    def _content(self, kind: str, schema: Schema) -> str:
        return f"`{kind}`" if kind != "application/json" else self._type(schema) if schema else "JSON"

    def _described(self, schema: Schema) -> str:
        """Name a schema, or show the fields of one that has no name."""
        if schema.get("properties"):
            return f"an object with\n\n{self._table(schema)}"
        meaning = self._meaning(schema)
        return f"{self._type(schema)}.{meaning and f' {meaning}'}\n"

    def _shape(self, name: str) -> str:
        schema = self._schemas[name]
        about = schema.get("description", "").replace("``", "`")
        return f"\n### {name}\n\n{about}{about and chr(10) * 2}{self._table(schema)}"

    def _table(self, schema: Schema) -> str:
        required = schema.get("required", ())
        rows = [
            f"| {_name(name, is_optional=name not in required)} | {self._type(field)} | {self._meaning(field)} |\n"
            for name, field in ({key: {} for key in required} | schema.get("properties", {})).items()
        ]
        return f"| field | type | meaning |\n|---|---|---|\n{''.join(rows)}" if rows else "No fields.\n"

    def _meaning(self, schema: Schema) -> str:
        text = _cell(schema.get("description") or schema.get("schema", {}).get("description") or "")
        default = schema.get("schema", schema).get("default")
        if default in (None, "", [], {}):
            return text
        return f"{text}{'.' if text and text[-1] != '.' else ''} Default: `{_json(default)}`.".strip()

    def _type(self, schema: Schema) -> str:
        if schema == COMPLETION_SCHEMA:
            return self._named("Completion")
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2])
        for joined in ("anyOf", "oneOf", "allOf"):
            if joined in schema:
                return _or(self._type(one) for one in schema[joined])
        if "enum" in schema or "const" in schema:
            return _or(f"`{_json(one)}`" for one in schema.get("enum", [schema.get("const")]))
        return self._plain(schema)

    def _named(self, name: str) -> str:
        schema = self._schemas[name]
        if "properties" not in schema:
            return self._type(schema)
        self._shown[name] = None
        return f"[{name}](#{_anchor(name)})"

    def _plain(self, schema: Schema) -> str:
        kind = schema.get("type", "any")
        if isinstance(kind, list):
            return _or(self._plain({**schema, "type": one}) for one in kind)
        if kind == "array":
            items = self._type(schema.get("items", {}))
            return f"list of ({items})" if " or " in items else f"list of {items}"
        inside = schema.get("additionalProperties")
        if kind == "object" and isinstance(inside, dict) and inside:
            return f"object of {self._type(inside)}"
        return f"{WORDS.get(schema.get('format', ''), kind)}{_range(schema)}"


def _scopes(app: FastAPI) -> Iterator[tuple[tuple[str, str], str | None]]:
    for route in app.routes:
        rule = rule_of(route)
        for method in getattr(route, "methods", None) or ():
            if rule is not None:
                yield (method, getattr(route, "path_format", "")), rule.access.scope_for(method)


def _text(operation: Mapping[str, Any]) -> str:
    """Join summary and description; FastAPI makes a summary of the function's name, which says nothing more."""
    summary, text = operation.get("summary", ""), operation.get("description") or ""
    summary = "" if summary.istitle() and text else summary and f"{summary}."
    return " ".join(filter(None, (summary, text))).strip().replace("``", "`")


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    if schema.get("type") == "string" and (least, most) == (1, None):
        return " (not empty)"
    unit = " letters" if schema.get("type") == "string" else ""
    if least is not None and most is not None:
        return f" ({least:g} to {most:g}{unit})"
    return f" (at most {most:g}{unit})" if most is not None else f" (from {least:g}{unit})" if least else ""


def _or(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def _json(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _name(name: str, *, is_optional: bool) -> str:
    return f"`{name}`{', optional' if is_optional else ''}"


def _first_sentence(text: str) -> str:
    return _cell(text.partition("\n\n")[0].partition(". ")[0].rstrip("."))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(page())
