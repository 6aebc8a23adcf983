"""How results are shown: to people with Rich, to programs as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import typer
from pydantic_core import to_jsonable_python
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from idolchat_cli.printable import UNPRINTABLE, printable

__all__ = [
    "cell",
    "clock",
    "columns",
    "number_of",
    "on_stderr",
    "on_stdout",
    "print_json",
    "print_json_line",
    "show",
    "table",
]

UNWRAPPED = 100_000
"""Columns of a result that goes to a file or another program: a row stays a line there."""


def on_stdout() -> Console:
    """Open standard output for results: colours on a terminal only, and not where NO_COLOR is set."""
    return _opened(Console(highlight=False, markup=False, emoji=False))


def on_stderr() -> Console:
    """Open standard error for what is said about results."""
    return _opened(Console(highlight=False, markup=False, emoji=False, stderr=True))


def _opened(console: Console) -> Console:
    if not console.is_terminal:
        console.width = UNWRAPPED
    return console


def print_json(value: object) -> None:
    """Print a result for programs: UTF-8, indented, one document."""
    typer.echo(_json(value, indent=2))


def print_json_line(value: object) -> None:
    """Print one of many results for programs, on a line of its own."""
    typer.echo(_json(value, indent=None))


def _json(value: object, *, indent: int | None) -> str:
    text = json.dumps(to_jsonable_python(value), ensure_ascii=False, indent=indent)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def show(console: Console, table: RenderableType) -> None:
    """Print a table or text; lines that go to a file or another program end with their text."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    console.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def cell(text: str, style: str = "") -> Text:
    """Make a cell of a table from text of any origin."""
    return Text(printable(text), style, overflow="fold")


def clock(time: datetime) -> str:
    """Write a time, in UTC, to the minute."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def number_of(count: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}" if count < 1000 else f"{count:,} {noun}s"


def columns(rows: Iterable[Iterable[Text]], *, widths: Sequence[int]) -> Table:
    """Lay out lines in columns, the last of which takes what ``widths``, in cells, leave."""
    result = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for width in widths:
        result.add_column(width=width)
    result.add_column()
    for row in rows:
        result.add_row(*row)
    return result


def table(*headings: str, rows: Iterable[Iterable[Text]], unbroken: Collection[str] = ()) -> Table:
    """Make a table without frames, as other commands can read it too; ``>`` before a heading aligns to the right.

    Names that somebody may copy stand in columns that are ``unbroken``, for which the others make room.
    """
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        result.add_column(
            heading.removeprefix(">"),
            justify="right" if heading.startswith(">") else "left",
            no_wrap=heading in unbroken,
        )
    for row in rows:
        result.add_row(*row)
    return result
