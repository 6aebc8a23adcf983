"""Lorebooks beside those of characters: of users, of conversations and of the whole server."""

from idolchat_characters.books.library import BookLibrary, books_of
from idolchat_characters.books.records import BookList, BookSummary, Lorebook

__all__ = ["BookLibrary", "BookList", "BookSummary", "Lorebook", "books_of"]
