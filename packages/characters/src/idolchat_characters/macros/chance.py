"""Macros that choose and roll."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from idolchat_characters.macros.expansion import Call, Handler

__all__ = ["CHANCE"]

_DICE = re.compile(r"(?:(\d{1,2})?d)?(\d{1,9})([+-]\d{1,9})?", re.IGNORECASE)


def _random(call: Call) -> str:
    return _chosen(call, "random", per_conversation=False)


def _pick(call: Call) -> str:
    return _chosen(call, "pick", per_conversation=True)


def _chosen(call: Call, purpose: str, *, per_conversation: bool) -> str:
    choices = call.choices()
    if not choices:
        return ""
    return choices[int(call.chance(purpose, per_conversation=per_conversation) * len(choices))]()


def _roll(call: Call) -> str | None:
    """Roll ``2d6+1``, ``d20`` or ``6``, which is a die of six sides, up to 99 dice; anything else is empty."""
    found = _DICE.fullmatch(call.argument(0).replace(" ", ""))
    if found is None or int(found[2]) < 1:
        return ""
    count = int(found[1] or 1)
    if not call.expansion.affords(count):
        return None
    dice = Random(call.chance("roll", per_conversation=False))
    rolled = sum(int(dice.random() * int(found[2])) + 1 for _ in range(count))
    return str(rolled + int(found[3] or 0))


CHANCE: Mapping[str, Handler] = {"random": _random, "pick": _pick, "roll": _roll}
