"""Log formats: plain lines or JSON, each with the id of its request."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

import orjson

__all__ = ["REQUEST_ID", "JsonFormatter", "TextFormatter", "configure_logging"]

REQUEST_ID: ContextVar[str | None] = ContextVar("idolchat_request_id", default=None)
"""The id of the request being answered; the tasks that it starts keep it."""

_FIRST_FACT = len(vars(logging.makeLogRecord({})))
"""What a record has of its own comes first; logging puts its ``extra`` behind it."""
_LATE_FIELDS = {"message", "asctime", "color_message"}
_TALKATIVE = ("aiohttp", "asyncio", "httpcore", "httpx", "uvicorn", "websockets")


def configure_logging(level: str, log_format: Literal["text", "json"]) -> None:
    """Log to standard error from ``level`` on; libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    _leave_out_where()
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _leave_out_where() -> None:
    """Do not determine the line, thread, process and task of a record: none is shown, and it takes half the time.

    This is how Python's logging HOWTO does it, under "Optimization".
    """
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]  # typeshed does not know it


class _Formatter(logging.Formatter):
    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the record's ``extra``, the request id, and the traceback of an error."""
        facts = dict(islice(vars(record).items(), _FIRST_FACT, None))
        for name in _LATE_FIELDS & facts.keys():
            del facts[name]
        request_id = REQUEST_ID.get()
        if request_id is not None:
            facts.setdefault("request_id", request_id)
        if record.exc_info and record.exc_info[1] is not None:
            facts["error"] = type(record.exc_info[1]).__qualname__
            facts["traceback"] = _where(record.exc_info[1])
        return facts

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Format the time in UTC, ISO 8601, to the millisecond."""
        return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


class JsonFormatter(_Formatter):
    """Writes one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return orjson.dumps(said | self.facts(record), default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class TextFormatter(_Formatter):
    """Writes a line for people: time, level, logger, message, and ``name=value`` for each fact."""

    def format(self, record: logging.LogRecord) -> str:
        facts = self.facts(record)
        trace = facts.pop("traceback", "")
        line = f"{self.formatTime(record)} {record.levelname:<7} {record.name}: {_one_line(record.getMessage())}"
        said = " ".join([f"{name}={value}" for name, value in facts.items()])
        if not said.isprintable():
            said = " ".join([f"{name}={_one_line(value)}" for name, value in facts.items()])
        return f"{line} {said}".rstrip() + (trace and f"\n{trace}")


@lru_cache(maxsize=2)
def _second(since_1970: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since_1970))


def _one_line(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else repr(text)


def _where(error: BaseException) -> str:
    """Return the traceback; the error's text only at level debug, since it may quote what a user wrote."""
    if logging.getLogger().level <= logging.DEBUG:
        return "".join(traceback.format_exception(error)).rstrip()
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()
