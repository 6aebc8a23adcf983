r"""Parses templates: text with macros such as ``{{user}}`` or ``{{random::a::b}}``, which may be nested.

``{`` and ``}`` after a backslash are text. Braces that open nothing, or close nothing, are text as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

__all__ = ["MAX_DEPTH", "Condition", "Macro", "Node", "choices", "parse"]

MAX_DEPTH = 20
MAX_TOKENS = 50_000

_TOKEN = re.compile(r"\\[{}]|\{\{|\}\}|<(?:user|bot|char|group|charifnotgroup)>", re.IGNORECASE)
_HEAD = re.compile(r"\s*(?://|time_UTC[+-]\d{1,2}|/?[A-Za-z][\w-]*)", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*(::?|\s)")
_COMMA = re.compile(r"(?<!\\),")
_TAGS = {"<bot>": "char"}


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro: its name in lower case, its arguments, all that stands between its braces, and where it stands."""

    name: str
    arguments: tuple[tuple[Node, ...], ...]
    inside: tuple[Node, ...]
    offset: int
    end: int
    written: tuple[str, str] = ("{{", "}}")


@dataclass(frozen=True, slots=True)
class Condition:
    """``{{if x}}...{{else}}...{{/if}}``."""

    opening: Macro
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    offset: int
    end: int


Node = str | Macro | Condition


@dataclass(slots=True)
class _Frame:
    offset: int
    nodes: list[Node] = field(default_factory=list)


def parse(template: str) -> tuple[Node, ...]:
    """Parse a template in one pass. Macros nested more than 20 deep, and what follows 50,000 braces, are text."""
    frames = [_Frame(0)]
    at = too_deep = 0
    for token in islice(_tokens(template), MAX_TOKENS):
        text = token.group()
        if too_deep or (text == "{{" and len(frames) > MAX_DEPTH):
            if not too_deep:
                frames[-1].nodes.append(template[at : token.start()])
                at = token.start()
            too_deep += (text == "{{") - (text == "}}")
            if not too_deep:
                frames[-1].nodes.append(_opaque(template, at, token.end()))
                at = token.end()
            continue
        frames[-1].nodes.append(template[at : token.start()])
        at = token.end()
        if text == "{{":
            frames.append(_Frame(token.start()))
        elif text == "}}" and len(frames) > 1:
            closed = frames.pop()
            frames[-1].nodes.append(_macro(closed, token.end()))
        else:
            frames[-1].nodes.append(_tag(text, token.start()) if text.startswith("<") else text.removeprefix("\\"))
    frames[-1].nodes.append(template[at:])
    while len(frames) > 1:
        unclosed = frames.pop()
        frames[-1].nodes += ["{{", *unclosed.nodes]
    return _structured(_joined(frames[0].nodes))


def _tokens(template: str) -> Iterator[re.Match[str]]:
    """Find what is not text; of three braces in a row the last two open a macro."""
    at = 0
    while (found := _TOKEN.search(template, at)) is not None:
        if found.group() == "{{" and template.startswith("{", found.end()):
            at = found.start() + 1
            continue
        yield found
        at = found.end()


def _opaque(template: str, start: int, end: int) -> Macro:
    """Make a node of text that is not looked into, not even for what separates arguments."""
    return Macro("", (), (template[start:end],), start, end, ("", ""))


def _tag(text: str, offset: int) -> Macro:
    name = _TAGS.get(text.lower(), text[1:-1].lower())
    return Macro(name, (), (text,), offset, offset + len(text), ("", ""))


def _macro(frame: _Frame, end: int) -> Macro:
    nodes = _joined(frame.nodes)
    head = _HEAD.match(nodes[0]) if nodes and isinstance(nodes[0], str) else None
    if head is None:
        return Macro("", (), _structured(nodes), frame.offset, end)
    rest = [str(nodes[0])[head.end() :], *nodes[1:]]
    name = head.group().strip().lower()
    arguments = [] if name == "//" else _arguments(rest)
    if arguments is None:
        return Macro("", (), _structured(nodes), frame.offset, end)
    return Macro(name, tuple(map(_structured, arguments)), _structured(nodes), frame.offset, end)


def _arguments(rest: Sequence[Node]) -> list[list[Node]] | None:
    """Cut what stands after the name: at ``::``, or, where there is one argument alone, at its commas.

    ``None`` where nothing separates it from the name.
    """
    first = str(rest[0])
    found = _SEPARATOR.match(first)
    if found is None:
        return [] if not first.strip() and len(rest) == 1 else None
    if not first.strip() and len(rest) == 1:
        return []
    body: list[Node] = [first[found.end() :], *rest[1:]]
    return _cut(body, re.compile("::")) if found.group(1) == "::" else [body]


def _cut(nodes: Sequence[Node], separator: re.Pattern[str]) -> list[list[Node]]:
    pieces: list[list[Node]] = [[]]
    for node in nodes:
        if not isinstance(node, str):
            pieces[-1].append(node)
            continue
        first, *others = separator.split(node)
        pieces[-1].append(first)
        pieces.extend([other] for other in others)
    return pieces


def choices(macro: Macro) -> list[tuple[Node, ...]]:
    r"""Read the choices of a macro: its arguments, or its only one cut at the commas that have no backslash."""
    if len(macro.arguments) != 1:
        return list(macro.arguments)
    pieces = _cut(macro.arguments[0], _COMMA)
    return [tuple(n.replace("\\,", ",") if isinstance(n, str) else n for n in piece) for piece in pieces]


def _joined(nodes: Sequence[Node]) -> list[Node]:
    """Put pieces of text that follow each other together."""
    joined: list[Node] = []
    text: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            text.append(node)
            continue
        joined += ["".join(text), node]
        text = []
    return [*joined, "".join(text)]


def _structured(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Put what stands between ``{{if}}`` and ``{{/if}}`` into conditions; one without the other is left as it is."""
    levels: list[list[Node]] = [[]]
    openings: list[Macro] = []
    for node in nodes:
        if isinstance(node, Macro) and node.name == "if" and node.arguments and len(openings) < MAX_DEPTH:
            openings.append(node)
            levels.append([])
        elif isinstance(node, Macro) and node.name == "/if" and openings:
            inner = levels.pop()
            levels[-1].append(_condition(openings.pop(), inner, node.end))
        elif node != "":
            levels[-1].append(node)
    while openings:
        inner = levels.pop()
        levels[-1] += [openings.pop(), *inner]
    return tuple(levels[0])


def _condition(opening: Macro, inner: Sequence[Node], end: int) -> Condition:
    at = next((at for at, node in enumerate(inner) if isinstance(node, Macro) and node.name == "else"), None)
    if at is None:
        return Condition(opening, tuple(inner), (), opening.offset, end)
    return Condition(opening, tuple(inner[:at]), tuple(inner[at + 1 :]), opening.offset, end)
