"""``idol serve`` that says on SIGUSR1 what it holds: how many objects of each kind."""

import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType, ModuleType
from uuid import uuid4
from weakref import ref

from idolchat_cli.main import main
from idolchat_core import id_text, new_id

IDS_KEPT = 5000
"""More than a process keeps of the ids that it has made, and of their texts."""


def look(number: int, frame: FrameType | None) -> None:
    gc.collect()
    found = Counter(named(one) for one in everything() if not is_dead(one))
    report = Path(os.environ["HELD"])
    draft = report.with_suffix(".tmp")
    draft.write_text(json.dumps(found))
    draft.rename(report)


def everything() -> list[object]:
    """List what the collector tracks, and all that it refers to: numbers, texts, what holds nothing else.

    Modules' variables are tracked; a module itself may show what it keeps to use again, which nobody may hold.
    """
    found = level = gc.get_objects()
    seen = set(map(id, found))
    while level:
        holders = [one for one in level if not isinstance(one, ModuleType)]
        referred = {id(one): one for one in gc.get_referents(*holders) if id(one) not in seen}
        seen.update(referred)
        level = list(referred.values())
        found = found + level
    return found


def is_dead(thing: object) -> bool:
    """Whether it is a weak reference to what is gone: sets of them are tidied now and then."""
    return isinstance(thing, ref) and thing() is None


def named(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


if __name__ == "__main__":
    for _ in range(IDS_KEPT):
        new_id()
        id_text(uuid4())
    signal.signal(signal.SIGUSR1, look)
    sys.argv[0] = "idol"
    main()
