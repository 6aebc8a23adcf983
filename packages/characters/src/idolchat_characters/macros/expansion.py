"""Resolves the macros of a template, in a single pass: what a macro gives is never looked at again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from idolchat_characters.lore.rolls import fraction
from idolchat_characters.macros.context import MacroContext
from idolchat_characters.macros.parsing import MAX_DEPTH, Condition, Macro, Node, choices, parse

__all__ = ["MAX_OUTPUT_CHARS", "Call", "Expansion", "Handler"]

MAX_OUTPUT_CHARS = 64 * 1024
"""How many characters the macros of one template may add; what would add more stays as written, and all after it."""

_FALSE = frozenset({"", "0", "false", "off"})
_LINE_ENDS = "\r\n"


@dataclass(frozen=True, slots=True)
class Call:
    """A macro that is being resolved."""

    expansion: Expansion
    macro: Macro
    template: str

    @property
    def context(self) -> MacroContext:
        """What macros may tell."""
        return self.expansion.context

    @property
    def count(self) -> int:
        """How many arguments there are."""
        return len(self.macro.arguments)

    def argument(self, at: int) -> str:
        """Resolve an argument, without the blanks around it; one that is missing is empty."""
        return self._resolved(self.macro.arguments[at]) if at < self.count else ""

    def choices(self) -> list[Callable[[], str]]:
        """Return a function for each choice, which resolves it."""
        return [partial(self._resolved, nodes) for nodes in choices(self.macro)]

    def chance(self, purpose: str, *, per_conversation: bool) -> float:
        """Draw a number from 0 up to but without 1, which only depends on where the macro stands.

        In the tail of a prompt it depends on the turn too, unless it is ``per_conversation``.
        """
        context = self.context
        turn = "" if per_conversation or context.place == "prefix" else context.turn_id
        return fraction(
            context.conversation_id, turn, self.expansion.seed(self.template), str(self.macro.offset), purpose
        )

    def _resolved(self, nodes: Sequence[Node]) -> str:
        return self.expansion.text(nodes, self.template).strip()


Handler = Callable[[Call], str | None]
"""Gives the value of a macro; ``None`` leaves it as it is written."""


class Expansion:
    """Resolves one template. Variables that it sets live as long as this."""

    def __init__(self, context: MacroContext, handlers: Mapping[str, Handler]) -> None:
        self.context = context
        self.variables: dict[str, str] = {}
        self.original_is_used = False
        self._handlers = handlers
        self._left = MAX_OUTPUT_CHARS
        self._is_over = False
        self._fields: dict[str, str] = {}
        self._open: set[str] = set()
        self._seeds: dict[str, str] = {}
        self._depth = 0

    def template(self, template: str) -> str:
        """Resolve a template."""
        if "{" not in template and "<" not in template:
            return template
        return self.text(parse(template), template)

    def text(self, nodes: Sequence[Node], template: str) -> str:
        """Resolve nodes of a template."""
        written: list[str] = []
        is_trimming = False
        for node in nodes:
            if isinstance(node, Macro) and node.name == "trim" and not node.arguments:
                is_trimming = True
                _trim_end(written)
                continue
            piece = self._node(node, template)
            if is_trimming:
                piece = piece.lstrip(_LINE_ENDS)
                is_trimming = not piece
            written.append(piece)
        return "".join(written)

    def field(self, name: str) -> str | None:
        """Resolve a field of the context that is a template itself; ``None`` while that is being done already."""
        if name in self._open:
            return None
        if name not in self._fields:
            self._open.add(name)
            self._fields[name] = self.template(getattr(self.context, name))
            self._open.remove(name)
        return self._fields[name]

    def seed(self, template: str) -> str:
        """Make a short word of a template, for its chances."""
        if template not in self._seeds:
            self._seeds[template] = hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
        return self._seeds[template]

    def _node(self, node: Node, template: str) -> str:
        if isinstance(node, str):
            return node
        if self._depth > MAX_DEPTH:
            return template[node.offset : node.end]
        self._depth += 1
        written = self._macro(node, template) if isinstance(node, Macro) else self._condition(node, template)
        self._depth -= 1
        return written

    def _macro(self, macro: Macro, template: str) -> str:
        value = None
        if not self._is_over and (handler := self._handlers.get(macro.name)) is not None:
            value = handler(Call(self, macro, template))
        if value is not None and self.affords(len(value)):
            return value
        opening, closing = macro.written
        return f"{opening}{self.text(macro.inside, template)}{closing}"

    def affords(self, count: int) -> bool:
        """Spend characters of those that macros may add; whether there were as many."""
        self._left -= count
        self._is_over = self._is_over or self._left < 0
        return not self._is_over

    def _condition(self, condition: Condition, template: str) -> str:
        call = Call(self, condition.opening, template)
        asked = call.argument(0)
        is_negated = asked.startswith("!")
        asked = asked.removeprefix("!").strip()
        if (handler := self._handlers.get(asked.lower())) is not None:
            asked = handler(Call(self, Macro(asked.lower(), (), (), condition.offset, condition.end), template)) or ""
        holds = (asked.lower() not in _FALSE) is not is_negated
        return self.text(condition.then if holds else condition.otherwise, template).strip()


def _trim_end(written: list[str]) -> None:
    while written:
        written[-1] = written[-1].rstrip(_LINE_ENDS)
        if written[-1]:
            return
        written.pop()
