"""The REST interface to the table ``chats`` below ``/rest/v1``."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from tests.support.mock_supabase.keys import Caller, caller_of
from tests.support.mock_supabase.state import State, now

__all__ = ["RestApi"]

type Row = dict[str, Any]
type Test = Callable[[Row], bool]

_PARAMETERS = {"select", "order", "limit", "offset", "or", "columns"}
_FILTER = re.compile(r"(?P<column>\w+)\.(?P<operator>eq|lt|gt|gte|lte|in|cs)\.(?P<value>.*)", re.DOTALL)
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,]+)')
_TEST: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "lt": lambda left, right: left < right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "lte": lambda left, right: left <= right,
}


class Refused(Exception):
    """A call ends in an error of PostgREST or the database."""

    def __init__(self, status: int, code: str, message: str, *, details: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "details": details, "hint": None, "message": message}


class RestApi:
    """Selects, upserts and deletes rows."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        for method, handler in (("GET", self._select), ("POST", self._upsert), ("DELETE", self._delete)):
            app.router.add_route(method, "/rest/v1/{table}", self._guarded(handler))

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: web.Request) -> web.Response:
            if "apikey" not in request.headers:
                return web.json_response({"message": "No API key found in request"}, status=401)
            caller = caller_of(request.headers.get("Authorization"))
            try:
                self._check(request, caller)
                return await handler(request, caller)  # type: ignore[no-any-return]
            except Refused as error:
                return web.json_response(error.body, status=error.status)

        return guarded

    def _check(self, request: web.Request, caller: Caller) -> None:
        if caller.problem == "expired":
            raise Refused(401, "PGRST303", "JWT expired")
        if caller.problem == "signature":
            raise Refused(401, "PGRST301", "No suitable key or wrong key type")
        if caller.problem:
            raise Refused(401, "PGRST301", "JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts)")
        table = request.match_info["table"]
        if table != "chats" or self._state.rows is None:
            message = f"Could not find the table 'public.{table}' in the schema cache"
            raise Refused(404, "PGRST205", message)

    def _sees(self, caller: Caller) -> bool:
        return caller.role == "service_role" and not self._state.is_hidden

    async def _select(self, request: web.Request, caller: Caller) -> web.Response:
        rows = [row for row in self._matching(request.query) if self._sees(caller)]
        for column, _, direction in reversed(
            [part.partition(".") for part in request.query.get("order", "id").split(",")]
        ):
            rows.sort(key=lambda row: self._value(column, row[column]), reverse=direction.startswith("desc"))
        start = int(request.query.get("offset", 0))
        rows = rows[start : start + min(int(request.query.get("limit", self._state.max_rows)), self._state.max_rows)]
        columns = request.query.get("select", "*").split(",")
        for column in columns:
            if column != "*":
                self._value(column, None)
        shown = rows if columns == ["*"] else [{column: row[column] for column in columns} for row in rows]
        content_range = f"{start}-{start + len(rows) - 1}/*" if rows else "*/*"
        return web.json_response(shown, headers={"Content-Range": content_range})

    async def _upsert(self, request: web.Request, caller: Caller) -> web.Response:
        assert self._state.rows is not None
        try:
            body = json.loads(await request.read())
        except ValueError:
            raise Refused(400, "PGRST102", "Empty or invalid json") from None
        if not self._sees(caller):
            status = 401 if caller.role == "anon" else 403
            raise Refused(status, "42501", 'new row violates row-level security policy for table "chats"')
        prefer = request.headers.get("Prefer", "")
        rows = [self._typed(row) for row in (body if isinstance(body, list) else [body])]
        inserted = [row for row in rows if row["id"] not in self._state.rows]
        old = [row for row in rows if row["id"] in self._state.rows]
        if old and "resolution=" not in prefer:
            details = f"Key (id)=({old[0]['id']}) already exists."
            message = 'duplicate key value violates unique constraint "chats_pkey"'
            raise Refused(409, "23505", message, details=details)
        written = inserted if "ignore-duplicates" in prefer else rows
        for row in written:
            self._state.rows[row["id"]] = {**self._state.rows.get(row["id"], self._empty()), **row}
        status = 201 if inserted else 200
        if "return=minimal" in prefer:
            return web.Response(status=status, headers={"Content-Range": "*/*"})
        return web.json_response([self._state.rows[row["id"]] for row in written], status=status)

    async def _delete(self, request: web.Request, caller: Caller) -> web.Response:
        assert self._state.rows is not None
        gone = [self._state.rows.pop(row["id"]) for row in self._matching(request.query) if self._sees(caller)]
        if "return=minimal" in request.headers.get("Prefer", ""):
            return web.Response(status=204)
        return web.json_response(gone)

    def _empty(self) -> Row:
        return dict.fromkeys(self._state.column_types)

    def _typed(self, row: Row) -> Row:
        for column in row:
            if column not in self._state.column_types:
                text = f"Could not find the '{column}' column of 'chats' in the schema cache"
                raise Refused(400, "PGRST204", text)
        if row.get("id") is None:
            text = 'null value in column "id" of relation "chats" violates not-null constraint'
            raise Refused(400, "23502", text)
        return {column: self._written(self._value(column, value)) for column, value in row.items()}

    def _value(self, column: str, text: Any) -> Any:
        kind = self._state.column_types.get(column)
        if kind is None:
            raise Refused(400, "42703", f"column chats.{column} does not exist")
        if text is None or kind in ("text", "text[]"):
            return text
        try:
            if kind == "bigint":
                return int(text)
            if kind == "timestamptz" and text == "now":
                return now()
            return uuid.UUID(text) if kind == "uuid" else datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            code, name = ("22007", "timestamp with time zone") if kind == "timestamptz" else ("22P02", kind)
            raise Refused(400, code, f'invalid input syntax for type {name}: "{text}"') from None

    @staticmethod
    def _written(value: Any) -> Any:
        if isinstance(value, int | list):
            return value
        if not isinstance(value, datetime):
            return None if value is None else str(value)
        head, _, fraction = value.strftime("%Y-%m-%dT%H:%M:%S.%f").partition(".")
        return f"{head}.{fraction}".rstrip("0").rstrip(".") + "+00:00"

    def _matching(self, query: MultiMapping[str]) -> list[Row]:
        tests = [self._test(f"{name}.{value}") for name, value in query.items() if name in self._state.column_types]
        unknown = (
            query.keys() - self._state.column_types.keys() - {"select", "order", "limit", "offset", "or", "columns"}
        )
        if unknown:
            raise Refused(400, "42703", f"column chats.{min(unknown)} does not exist")
        tests += [self._any(alternatives) for alternatives in query.getall("or", [])]
        return [row for row in (self._state.rows or {}).values() if all(test(row) for test in tests)]

    def _any(self, text: str) -> Test:
        tests = [self._test(part) for part in _split(text.removeprefix("(").removesuffix(")"))]
        return lambda row: any(test(row) for test in tests)

    def _test(self, text: str) -> Test:
        if text.startswith("and("):
            tests = [self._test(part) for part in _split(text[4:-1])]
            return lambda row: all(test(row) for test in tests)
        found = _FILTER.fullmatch(text)
        if not found:
            raise Refused(400, "PGRST100", f'"failed to parse filter ({text})" (line 1, column 1)')
        column, value = found["column"], found["value"]
        if found["operator"] == "in":
            among = [self._value(column, part.strip('"')) for part in value[1:-1].split(",")]
            return lambda row: row[column] is not None and self._value(column, row[column]) in among
        if value.startswith('"'):
            value = _unescaped(value[1:-1])
        if found["operator"] == "cs":
            elements = {_unescaped(quoted) or plain for quoted, plain in _ELEMENT.findall(value[1:-1])}
            return lambda row: elements <= set(row[column] or ())
        compare = _TEST[found["operator"]]
        wanted = self._value(column, value)
        return lambda row: row[column] is not None and compare(self._value(column, row[column]), wanted)


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets and no quotes."""
    return re.findall(r'(?:"(?:[^"\\]|\\.)*"|\([^)]*\)|[^,(])+', text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
