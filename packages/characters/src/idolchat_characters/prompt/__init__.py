"""What a character says in a prompt: the card, its examples, its lore, its last instructions."""

from idolchat_characters.prompt.source import CharacterSource, open_character_source

__all__ = ["CharacterSource", "open_character_source"]
