"""Books made ready to be scanned: put in order, keys compiled, once for many turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from idolchat_characters.lore.books import Book, Problem
from idolchat_characters.lore.entries import Dialect, Entry
from idolchat_characters.lore.keys import Key, KeyCompiler
from idolchat_characters.lore.settings import LIMITS, LoreSettings

__all__ = ["CompiledEntry", "CompiledLore", "LoreBooks", "compile_lore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoreBooks:
    """The books that apply to a conversation, by whose they are.

    A book that is named twice counts once: as the server's, else the conversation's, the persona's, the character's.
    """

    conversation: Sequence[Book] = ()
    persona: Sequence[Book] = ()
    character: Sequence[Book] = ()
    server: Sequence[Book] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledEntry:
    """An entry with what its book and the settings make of it.

    ``depth`` is how many messages it looks at (``None``: as many as the scan has come to), ``recursive`` whether its
    content may set off others, ``reads_recursion`` whether those of others may set it off.
    """

    at: int
    entry: Entry
    keys: tuple[Key, ...]
    secondary_keys: tuple[Key, ...]
    additional_keys: tuple[Key, ...]
    exclude_keys: tuple[Key, ...]
    depth: int | None
    recursive: bool
    reads_recursion: bool
    scores: bool

    @property
    def is_always_looked_at(self) -> bool:
        """Whether it may activate although the index finds none of its keys."""
        entry = self.entry
        has_other_keys = any(key.pattern is not None or key.macro for key in self.keys)
        return entry.forced is True or entry.constant or has_other_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledLore:
    """All entries in the order in which they are looked at, and the indexes over their keys.

    ``messages_needed`` is how many of the newest messages a scan can look at.
    """

    settings: LoreSettings
    entries: tuple[CompiledEntry, ...]
    left_out: tuple[Entry, ...]
    keys: KeyCompiler
    by_number: Mapping[int, Sequence[int]]
    by_name: Mapping[str, int]
    always: frozenset[int]
    delay_levels: tuple[int, ...]
    is_recursive: bool
    messages_needed: int
    books: Mapping[str, Book]
    problems: tuple[tuple[str, Problem], ...]


def compile_lore(books: LoreBooks, settings: LoreSettings) -> CompiledLore:
    """Make books ready to be scanned; the result is immutable and may be shared by threads.

    What cannot work (patterns that RE2 refuses, too many entries) is in ``problems``, each with its book's id.
    """
    books = _each_once(books)
    held = {
        book.id: book for scope in (books.conversation, books.persona, books.server, books.character) for book in scope
    }
    ordered = [entry for scopes in _scopes(books, settings) for entry in _by_order(*scopes)]
    compiler = KeyCompiler(settings)
    entries = tuple(_Compilation(compiler, settings, held).entries(ordered[: LIMITS.entries]))
    by_number: dict[int, list[int]] = {}
    for compiled in entries:
        for key in compiled.keys:
            if key.number is not None:
                by_number.setdefault(key.number, []).append(compiled.at)
    return CompiledLore(
        settings=settings,
        entries=entries,
        left_out=tuple(ordered[LIMITS.entries :]),
        keys=compiler,
        by_number=by_number,
        by_name={compiled.entry.key: compiled.at for compiled in entries},
        always=frozenset(compiled.at for compiled in entries if compiled.is_always_looked_at),
        delay_levels=tuple(sorted({entry.delay_level for entry in ordered if entry.delay_level})),
        is_recursive=settings.recursive or any(compiled.recursive for compiled in entries),
        messages_needed=_messages_needed(settings, entries),
        books=held,
        problems=tuple(_problems(held.values(), entries)),
    )


def _each_once(books: LoreBooks) -> LoreBooks:
    """Leave a book only in the first of its scopes, in the order that SillyTavern has."""
    seen: set[str] = set()

    def new(scope: Sequence[Book]) -> tuple[Book, ...]:
        kept = tuple({book.id: book for book in scope if book.id not in seen}.values())
        seen.update(book.id for book in kept)
        return kept

    return LoreBooks(
        server=new(books.server),
        conversation=new(books.conversation),
        persona=new(books.persona),
        character=new(books.character),
    )


def _by_order(*scopes: Sequence[Book]) -> list[Entry]:
    entries = [entry for scope in scopes for book in scope for entry in book.entries]
    return sorted(entries, key=lambda entry: -entry.order)


def _scopes(books: LoreBooks, settings: LoreSettings) -> Iterator[tuple[Sequence[Book], ...]]:
    yield (books.conversation,)
    yield (books.persona,)
    server, character = books.server, books.character
    match settings.strategy:
        case "character_first":
            yield from ((character,), (server,))
        case "global_first":
            yield from ((server,), (character,))
        case "evenly":
            yield (server, character)


@dataclass(frozen=True, slots=True)
class _Compilation:
    compiler: KeyCompiler
    settings: LoreSettings
    books: Mapping[str, Book]

    def entries(self, ordered: Sequence[Entry]) -> Iterator[CompiledEntry]:
        left = LIMITS.keys
        for at, entry in enumerate(ordered):
            left -= len(entry.keys) + len(entry.secondary_keys) + len(entry.additional_keys) + len(entry.exclude_keys)
            yield self._compiled(at, entry, self._refusal(entry) if left < 0 else self.compiler.compile)

    def _refusal(self, entry: Entry) -> Callable[[Entry, str], Key]:
        text = f"there are more than {LIMITS.keys} keys: those of this entry never match"
        problem = Problem(code="too_many_keys", entry=entry.uid, text=text)
        return lambda _, key: Key(key, problem=problem)

    def _compiled(self, at: int, entry: Entry, key: Callable[[Entry, str], Key]) -> CompiledEntry:
        book = self.books[entry.book]
        is_v3 = entry.dialect is Dialect.V3
        recursive = self.settings.recursive if book.recursive is None else book.recursive
        return CompiledEntry(
            at=at,
            entry=entry,
            keys=tuple(key(entry, text) for text in entry.keys),
            secondary_keys=tuple(key(entry, text) for text in entry.secondary_keys),
            additional_keys=tuple(key(entry, text) for text in entry.additional_keys),
            exclude_keys=tuple(key(entry, text) for text in entry.exclude_keys),
            depth=book.scan_depth if entry.scan_depth is None else entry.scan_depth,
            recursive=recursive,
            reads_recursion=recursive or not is_v3,
            scores=self.settings.score_groups if entry.score_group is None else entry.score_group,
        )


def _messages_needed(settings: LoreSettings, entries: Sequence[CompiledEntry]) -> int:
    deepest = max((settings.scan_depth, *(compiled.depth or 0 for compiled in entries)))
    if settings.min_activations:
        most = settings.min_activations_max_depth
        deepest = max(deepest, most + 1) if most else LIMITS.scan_messages
    return min(max(deepest, 0), LIMITS.scan_messages)


def _problems(books: Iterable[Book], entries: Sequence[CompiledEntry]) -> Iterator[tuple[str, Problem]]:
    for book in books:
        for problem in book.problems:
            yield book.id, problem
    for compiled in entries:
        keys = (*compiled.keys, *compiled.secondary_keys, *compiled.additional_keys, *compiled.exclude_keys)
        for found in dict.fromkeys(key.problem for key in keys if key.problem is not None):
            yield compiled.entry.book, found
