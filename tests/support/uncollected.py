"""``idol serve`` without the collector of cycles: on SIGUSR1 it counts what only that would have found."""

import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CoroutineType, FrameType

from idolchat_cli.main import main


def look(number: int, frame: FrameType | None) -> None:
    gc.collect()
    found = Counter(name for name in map(named, gc.garbage) if name is not None)
    gc.garbage.clear()
    report = Path(os.environ["UNCOLLECTED"])
    draft = report.with_suffix(".tmp")
    draft.write_text(json.dumps(found))
    draft.rename(report)


def named(thing: object) -> str | None:
    """Name what is of ours, or runs something."""
    kind = type(thing)
    if isinstance(thing, CoroutineType):
        return thing.__qualname__
    return kind.__qualname__ if kind.__module__.startswith(("idolchat", "_asyncio")) else None


if __name__ == "__main__":
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    signal.signal(signal.SIGUSR1, look)
    sys.argv[0] = "idol"
    main()
