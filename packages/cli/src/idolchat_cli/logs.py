"""What the parts log while a command runs, on standard error."""

from __future__ import annotations

import logging

__all__ = ["show_logs"]

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message"}


def show_logs(*, debug: bool) -> None:
    """Show warnings, a line each; with ``debug`` everything, with tracebacks."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT) if debug else _OneLine())
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[handler])


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = [f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD_FIELDS]
        if record.exc_info and record.exc_info[0]:
            facts.append(f"error={record.exc_info[0].__name__}")
        return " ".join([f"{record.levelname.capitalize()}: {record.getMessage()}", *facts])
