"""Characters for idolchat, from any front end's character card."""

from idolchat_characters.character import CardAsset, Character, UnknownFields
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Problem
from idolchat_characters.sampling import Sampling
from idolchat_characters.slugs import slug_of

__all__ = ["CardAsset", "CardRefused", "Character", "Problem", "Sampling", "UnknownFields", "slug_of"]
