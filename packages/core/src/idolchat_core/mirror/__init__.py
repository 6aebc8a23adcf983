"""A primary storage and its mirrors: one ``Storage`` to the turn engine, copied in the background."""

from idolchat_core.mirror.compare import Comparison, Difference, DifferenceKind, compare
from idolchat_core.mirror.inventory import record_keys
from idolchat_core.mirror.mirror import Mirror, MirrorMode
from idolchat_core.mirror.repair import MirrorRepair, Restored, repair_all, restore_all
from idolchat_core.mirror.server_notes import ServerInbox, ServerNotes
from idolchat_core.mirror.shared_feed import SharedFeed
from idolchat_core.mirror.shared_mirror import SharedMirror
from idolchat_core.mirror.status import MirrorState, MirrorStatus
from idolchat_core.mirror.storage import MirroredStorage, open_mirrored
from idolchat_core.mirror.tracked import TrackedStorage, open_tracked
from idolchat_core.mirror.tuning import MirrorTuning

__all__ = [
    "Comparison",
    "Difference",
    "DifferenceKind",
    "Mirror",
    "MirrorMode",
    "MirrorRepair",
    "MirrorState",
    "MirrorStatus",
    "MirrorTuning",
    "MirroredStorage",
    "Restored",
    "ServerInbox",
    "ServerNotes",
    "SharedFeed",
    "SharedMirror",
    "TrackedStorage",
    "compare",
    "open_mirrored",
    "open_tracked",
    "record_keys",
    "repair_all",
    "restore_all",
]
