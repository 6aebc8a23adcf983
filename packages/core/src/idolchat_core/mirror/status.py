"""How far mirrors are behind, for whoever watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MirrorState", "MirrorStatus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorState:
    """One mirror.

    ``pending`` conversations have changes that it lacks, the oldest of them ``lag_s`` seconds old. ``conflicts`` are
    conversations that it holds otherwise and that are left as they are. ``uploads``, ``uploaded_bytes``, ``deletions``
    and ``failures`` count since the start. ``error`` says why it cannot be reached, while that is so. ``copied_by`` is
    the address of the process that copies, of several that share the primary; empty while none has begun to. It is what
    that process has told last.
    """

    name: str
    pending: int
    lag_s: float
    conflicts: int
    uploads: int
    uploaded_bytes: int
    deletions: int
    failures: int
    error: str | None
    copied_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorStatus:
    """All mirrors together; ``pending`` counts per mirror, ``lag_s`` is that of the one that is furthest behind."""

    mirrors: Sequence[MirrorState] = ()

    @property
    def pending(self) -> int:
        """Count the copies that are still to be made."""
        return sum(mirror.pending for mirror in self.mirrors)

    @property
    def lag_s(self) -> float:
        """How old the oldest change is that some mirror lacks, in seconds."""
        return max((mirror.lag_s for mirror in self.mirrors), default=0.0)

    @property
    def is_ok(self) -> bool:
        """Whether every mirror can be reached and holds nothing that it should not."""
        return all(mirror.error is None and not mirror.conflicts for mirror in self.mirrors)
