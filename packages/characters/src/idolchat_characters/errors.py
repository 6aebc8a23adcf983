"""The errors of this package; they are those of a request that cannot be met as it stands."""

from __future__ import annotations

from idolchat_core import InvalidRequest

__all__ = ["CardRefused"]


class CardRefused(InvalidRequest):
    """A card cannot be read or written; the text says what is wrong and how to mend it.

    ``param`` is the place: a field (``data.name``), a PNG chunk (``chunk ccv3``), an entry of an archive
    (``card.json``), or ``file``.
    """

    code = "card_refused"

    def __init__(self, message: str, *, place: str) -> None:
        super().__init__(f"{place}: {message}", param=place)
