"""The names in a namespace of records, read once while nothing changes there."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from idolchat_storage_local.files.data_folder import is_temporary
from idolchat_storage_local.files.disk import Disk

__all__ = ["RecordNames"]

_SETTLED_NS = 2_500_000_000
"""A folder's time of change is believed when it is so old: file systems count in steps, FAT in those of 2 s."""
_KEPT = 8


class RecordNames:
    """Sorted names by folder, for those who page through them; any thread may ask."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._kept: OrderedDict[str, tuple[int, Sequence[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, folder: str) -> Sequence[str]:
        """List the names in a folder. Raises ``OSError``."""
        changed_ns = self._disk.changed_ns(folder)
        with self._lock:
            kept_ns, names = self._kept.get(folder, (-1, ()))
        if kept_ns == changed_ns:
            return names
        is_settled = time.time_ns() - changed_ns > _SETTLED_NS
        names = sorted(name for name in self._disk.names(folder) if not is_temporary(name))
        if is_settled:
            self._keep(folder, changed_ns, names)
        return names

    def _keep(self, folder: str, changed_ns: int, names: Sequence[str]) -> None:
        with self._lock:
            self._kept[folder] = changed_ns, names
            self._kept.move_to_end(folder)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
