"""Notes: what users and applications want kept, or what a model drew from what users said."""

from idolchat_memory.notes.note import MAX_SOURCES, MAX_TEXT, Note, NoteScope, NoteSource, Writer
from idolchat_memory.notes.store import NoteStore, notes_of

__all__ = ["MAX_SOURCES", "MAX_TEXT", "Note", "NoteScope", "NoteSource", "NoteStore", "Writer", "notes_of"]
