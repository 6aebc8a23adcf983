"""How far a long task has come, for somebody who waits at a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from idolchat_cli.render import on_stderr

__all__ = ["Progress", "progress"]

PATIENCE_S = 1.0


class Progress:
    """Counts what is done, of ``total`` where that is known."""

    def __init__(self, total: int | None) -> None:
        self.done = 0
        self.total = total

    def advance(self, count: int = 1) -> None:
        """Count so many more as done."""
        self.done += count


@contextmanager
def progress(what: str, *, total: int | None = None, unit: str = "") -> Iterator[Progress]:
    """Show a bar on standard error when it takes more than a second, and nothing where that is no terminal."""
    counted = Progress(total)
    if not on_stderr().is_terminal:
        yield counted
        return
    is_over = threading.Event()
    shown = threading.Thread(target=_show, args=(what, unit, counted, is_over), daemon=True)
    shown.start()
    try:
        yield counted
    finally:
        is_over.set()
        shown.join()


def _show(what: str, unit: str, counted: Progress, is_over: threading.Event) -> None:
    if is_over.wait(PATIENCE_S):
        return
    from rich import progress as bars  # noqa: PLC0415  seldom shown

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[count]}"),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=on_stderr(), transient=True) as bar:
        task = bar.add_task(what, total=counted.total, count="")
        while not is_over.wait(0.1):
            of_all = f" of {counted.total:,}" if counted.total is not None else ""
            count = f"{counted.done:,}{of_all} {unit}".strip()
            bar.update(task, completed=counted.done, total=counted.total, count=count)
