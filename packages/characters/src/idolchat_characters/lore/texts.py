"""The texts of one scan, and what keys match in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from idolchat_characters.lore.compiled import CompiledEntry, CompiledLore
from idolchat_characters.lore.entries import Dialect, ScanField
from idolchat_characters.lore.keys import Key, strip
from idolchat_characters.lore.settings import LIMITS

__all__ = ["ScanTexts"]

_MARK = "\x01"
_JOINER = f"\n{_MARK}"
_NOWHERE = 1 << 30
_MOST_JOINED = 8


class ScanTexts:
    """The messages, other fields, injections and recursed contents that keys are looked for in.

    Each text is searched once for all plain keys together; patterns, and keys with macros, run over the texts joined
    as the entry sees them.
    """

    def __init__(
        self,
        lore: CompiledLore,
        messages: Sequence[str],
        fields: Mapping[ScanField, str],
        injections: Sequence[str],
        substitute: Callable[[str], str],
    ) -> None:
        self._lore = lore
        self._substitute = substitute
        self._left = LIMITS.scan_chars
        self._work = LIMITS.work_chars
        self._messages = [self._cut(strip(text)) for text in messages]
        self._fields = {field: self._cut(text) for field, text in fields.items() if text}
        self._injections = [self._cut(text) for text in injections]
        self._recursed: list[str] = []
        self._depth_of: dict[int, int] = {}
        for depth, text in enumerate(self._messages):
            for number in self._found(text):
                self._depth_of.setdefault(number, depth)
        self._in_field = {field: self._found(text) for field, text in self._fields.items()}
        self._in_injections = {number for text in self._injections for number in self._found(text)}
        self._in_recursed: set[int] = set()
        self._joined: dict[tuple[int, tuple[ScanField, ...], bool], bytes] = {}
        self._made: dict[tuple[str, str], Key] = {}
        self.found = {*self._depth_of, *self._in_injections}.union(*self._in_field.values())
        self.ran_out = False

    @property
    def is_cut(self) -> bool:
        """Whether there was more text than is scanned."""
        return self._left < 0

    @property
    def has_recursed(self) -> bool:
        """Whether any content was added."""
        return bool(self._recursed)

    def add_recursed(self, text: str) -> None:
        """Add the contents of activated entries."""
        text = self._cut(text)
        self._recursed.append(text)
        self._joined.clear()
        found = self._found(text)
        self._in_recursed |= found
        self.found |= found

    def matches(self, key: Key, compiled: CompiledEntry, depth: int, *, recursed: bool) -> bool:
        """Whether a key of an entry matches in the newest ``depth`` messages and all else that the entry looks at."""
        if depth <= 0 and compiled.entry.dialect is Dialect.SILLYTAVERN:
            return False
        recursed = recursed and compiled.reads_recursion
        if key.macro:
            key = self._substituted(key, compiled)
        if key.number is not None:
            return self._has(key.number, compiled.entry.scan_fields, depth, recursed=recursed)
        if key.pattern is None:
            return False
        joined = self._text(depth, compiled.entry.scan_fields, recursed=recursed)
        return self._spend(len(joined)) and key.pattern.found_in(joined)

    def _has(self, number: int, fields: Sequence[ScanField], depth: int, *, recursed: bool) -> bool:
        return (
            self._depth_of.get(number, _NOWHERE) < depth
            or number in self._in_injections
            or (recursed and number in self._in_recursed)
            or any(number in self._in_field.get(field, ()) for field in fields)
        )

    def _text(self, depth: int, fields: tuple[ScanField, ...], *, recursed: bool) -> bytes:
        view = (depth, fields, recursed)
        if (joined := self._joined.get(view)) is None:
            texts = [
                *self._messages[: max(depth, 0)],
                *(self._fields[field] for field in fields if field in self._fields),
            ]
            texts += self._injections
            texts += self._recursed if recursed else ()
            joined = (_MARK + _JOINER.join(texts)).encode("utf-8", "replace")
            self._spend(len(joined))
            while len(self._joined) >= _MOST_JOINED:
                del self._joined[next(iter(self._joined))]
            self._joined[view] = joined
        return joined

    def _substituted(self, key: Key, compiled: CompiledEntry) -> Key:
        name = (compiled.entry.key, key.text)
        if (made := self._made.get(name)) is None:
            text = self._substitute(key.text)
            made = self._made[name] = self._lore.keys.static(compiled.entry, text, indexed=False)
        return made

    def _found(self, text: str) -> set[int]:
        keys = self._lore.keys
        return keys.exact.found_in(text) | keys.lowered.found_in(text.lower()) if text else set()

    def _cut(self, text: str) -> str:
        kept = text[: max(self._left, 0)]
        self._left -= len(text)
        return kept

    def _spend(self, count: int) -> bool:
        self._work -= count
        self.ran_out = self.ran_out or self._work < 0
        return self._work >= 0
