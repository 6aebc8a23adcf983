"""The characters that are kept in the chosen storage."""

from idolchat_characters.library.access import Viewer
from idolchat_characters.library.index import CharacterPage, CharacterSummary
from idolchat_characters.library.library import CharacterLibrary, library_of
from idolchat_characters.library.records import CharacterRecord, OriginalCard, StoredAsset

__all__ = [
    "CharacterLibrary",
    "CharacterPage",
    "CharacterRecord",
    "CharacterSummary",
    "OriginalCard",
    "StoredAsset",
    "Viewer",
    "library_of",
]
