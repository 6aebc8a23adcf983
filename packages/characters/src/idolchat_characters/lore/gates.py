"""Whether an entry may activate at all in a scan, whatever the texts say."""

from __future__ import annotations

from collections.abc import Callable

from idolchat_characters.lore.compiled import CompiledEntry
from idolchat_characters.lore.entries import Entry
from idolchat_characters.lore.outcomes import Reason
from idolchat_characters.lore.scan_input import ScanInput
from idolchat_characters.lore.timed import TimedEffects

__all__ = ["closed_by"]


def closed_by(compiled: CompiledEntry, scan: ScanInput, effects: TimedEffects) -> Reason | None:
    """Name the first thing that keeps an entry out of this scan; ``None``: nothing does."""
    entry = compiled.entry
    if effects.is_delayed(entry):
        return Reason.DELAY if entry.enabled else Reason.DISABLED
    if compiled.at in effects.cooldown and compiled.at not in effects.sticky:
        return Reason.COOLDOWN if entry.enabled else Reason.DISABLED
    return next((reason for reason, is_closed in _GATES if is_closed(entry, scan)), None)


_GATES: tuple[tuple[Reason, Callable[[Entry, ScanInput], bool]], ...] = (
    (Reason.DISABLED, lambda entry, scan: not entry.enabled),
    (Reason.TRIGGER, lambda entry, scan: bool(entry.triggers) and scan.trigger not in entry.triggers),
    (
        Reason.CHARACTER_FILTER,
        lambda entry, scan: not entry.characters.allows(scan.character_name, scan.character_tags),
    ),
    (Reason.TOO_EARLY, lambda entry, scan: scan.state.replies < entry.only_after),
    (Reason.NOT_THIS_REPLY, lambda entry, scan: scan.state.replies % entry.only_every != 0),
    (Reason.GREETING, lambda entry, scan: entry.greeting is not None and entry.greeting != scan.greeting),
    (Reason.MATCHED_BEFORE, lambda entry, scan: entry.mute_after_match and entry.key in scan.state.matched),
)
