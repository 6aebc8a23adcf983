"""A primary storage and its mirrors: one ``Storage`` to the turn engine, copied in the background."""

from idolchat_core.mirror.link import MirrorMode
from idolchat_core.mirror.opening import open_mirrored
from idolchat_core.mirror.pace import Pace
from idolchat_core.mirror.status import MirrorState, MirrorStatus
from idolchat_core.mirror.storage import MirroredStorage

__all__ = ["MirrorMode", "MirrorState", "MirrorStatus", "MirroredStorage", "Pace", "open_mirrored"]
