"""Late interaction: each word of a question is compared with each word of a message, by meaning. Needs the extra."""

import os

# The products are small: shared among threads, they cost the machine more than they save the question.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from idolchat_memory.semantic.encoding import encode_waiting
from idolchat_memory.semantic.late_interaction import LateInteraction

__all__ = ["LateInteraction", "encode_waiting"]
