"""A primary storage and its mirrors: one ``Storage`` to the turn engine, copied in the background."""

from idolchat_core.mirror.compare import Compared, Difference, DifferenceKind, compare
from idolchat_core.mirror.mirror import MirrorLink, MirrorMode
from idolchat_core.mirror.opening import open_mirrored
from idolchat_core.mirror.repair import Mended, Restored, mend_all, restore_all
from idolchat_core.mirror.status import MirrorState, MirrorStatus
from idolchat_core.mirror.storage import MirroredStorage
from idolchat_core.mirror.tuning import Pace

__all__ = [
    "Compared",
    "Difference",
    "DifferenceKind",
    "Mended",
    "MirrorLink",
    "MirrorMode",
    "MirrorState",
    "MirrorStatus",
    "MirroredStorage",
    "Pace",
    "Restored",
    "compare",
    "mend_all",
    "open_mirrored",
    "restore_all",
]
