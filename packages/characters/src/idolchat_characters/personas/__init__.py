"""Personas: whom a user plays."""

from idolchat_characters.personas.library import PersonaLibrary, personas_of
from idolchat_characters.personas.persona import Persona, UserPersonas

__all__ = ["Persona", "PersonaLibrary", "UserPersonas", "personas_of"]
