"""How fast things go between a primary and a mirror."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MirrorTuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorTuning:
    """Times in seconds.

    ``bytes_per_s``: see ``spacing``. ``settle_s``: how long a change waits for others to come with it; a
    message that is to be answered, three times as long.
    ``rest_s``: after how long without a change a conversation rests. ``look_every_s``: how often the primary's list is
    looked at for what other processes have changed. ``first_pause_s`` and ``longest_pause_s``: between attempts to
    reach a mirror. ``flush_s``: how long a stop may take to copy what is left.
    """

    bytes_per_s: float = 65_536
    settle_s: float = 1.0
    rest_s: float = 10.0
    look_every_s: float = 10.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 20.0
    flush_s: float = 5.0
