"""Late interaction: each word of a question is compared with each word of a message, by meaning. Needs the extra."""

from idolchat_memory.semantic.encoding import encode_waiting
from idolchat_memory.semantic.late_interaction import LateInteraction

__all__ = ["LateInteraction", "encode_waiting"]
