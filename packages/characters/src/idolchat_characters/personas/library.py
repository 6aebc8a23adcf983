"""The personas that are kept in the chosen storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from idolchat_characters.errors import TooManyPersonas
from idolchat_characters.kept_records import REFRESH_S, KeptRecords
from idolchat_characters.personas.persona import Persona, UserPersonas, owner_name
from idolchat_characters.settings import CharactersSettings
from idolchat_core import InvalidRequest, Storage, StoredId, new_id, read_settings, utc_now

__all__ = ["PersonaLibrary", "personas_of"]

EDITABLE = frozenset({"name", "description"})


class PersonaLibrary:
    """The personas in a storage; ``user_id`` is whose they are, None those of conversations without a user.

    All methods raise ``StorageUnavailable``.
    """

    def __init__(self, storage: Storage, settings: CharactersSettings) -> None:
        self._records = KeptRecords(storage, "personas", UserPersonas)
        self._max_per_user = settings.max_personas

    async def of(self, user_id: UUID | None, *, max_age_s: float = REFRESH_S) -> UserPersonas:
        """Return a user's personas, as they are, or were at most so long ago where another process changes them."""
        return await self._records.get(owner_name(user_id), max_age_s=max_age_s) or UserPersonas(user_id=user_id)

    async def get(self, user_id: UUID | None, persona_id: UUID) -> Persona | None:
        """Return one of a user's personas; None for one that is not theirs."""
        return (await self.of(user_id)).find(persona_id)

    async def has(self, user_id: StoredId | None, persona_id: UUID) -> bool:
        """Return whether the user of a conversation has a persona, also one that another process has just stored."""
        owner = user_id if isinstance(user_id, UUID) else None
        return (await self.of(owner, max_age_s=0.0)).find(persona_id) is not None

    async def played(
        self, user_id: StoredId | None, persona_id: StoredId | None, *, max_age_s: float = REFRESH_S
    ) -> Persona | None:
        """Return whom a user plays in a conversation: the persona that it names, where there is one, or the default."""
        if user_id is not None and not isinstance(user_id, UUID):
            return None
        held = await self._records.get(owner_name(user_id), max_age_s=max_age_s)
        return (held.find(persona_id) or held.find(held.default_id)) if held else None

    async def add(self, user_id: UUID | None, fields: Mapping[str, Any], *, is_default: bool = False) -> Persona:
        """Store a new persona; the first is the default. Raises ``InvalidRequest``, ``TooManyPersonas``."""
        now = utc_now()
        persona = _checked({"id": new_id(), "created_at": now, "updated_at": now}, fields)

        def added(held: UserPersonas) -> UserPersonas:
            if len(held.personas) >= self._max_per_user:
                raise TooManyPersonas(
                    f"a user may have {self._max_per_user} personas (IDOLCHAT_CHARACTERS_MAX_PERSONAS); delete one"
                )
            default_id = persona.id if is_default or not held.personas else held.default_id
            return held.model_copy(update={"personas": (*held.personas, persona), "default_id": default_id})

        await self._change(user_id, added)
        return persona

    async def update(self, user_id: UUID | None, persona_id: UUID, fields: Mapping[str, Any]) -> Persona | None:
        """Change the name or description of a persona; what was said stays. None where there is no such persona.

        Raises ``InvalidRequest``.
        """

        def updated(held: UserPersonas) -> UserPersonas:
            personas = tuple(_updated(one, fields) if one.id == persona_id else one for one in held.personas)
            return held.model_copy(update={"personas": personas})

        return (await self._change(user_id, updated)).find(persona_id)

    async def choose_default(self, user_id: UUID | None, persona_id: UUID | None) -> UserPersonas:
        """Set which persona is played where a conversation names none, or that none is. Raises ``InvalidRequest``."""

        def chosen(held: UserPersonas) -> UserPersonas:
            if persona_id is not None and held.find(persona_id) is None:
                raise InvalidRequest(f"default_id: there is no persona {persona_id}", param="default_id")
            return held.model_copy(update={"default_id": persona_id})

        return await self._change(user_id, chosen)

    async def delete(self, user_id: UUID | None, persona_id: UUID) -> None:
        """Remove a persona; conversations that name it are with the default from now on."""

        def without(held: UserPersonas) -> UserPersonas:
            left = tuple(persona for persona in held.personas if persona.id != persona_id)
            default_id = None if held.default_id == persona_id else held.default_id
            return held.model_copy(update={"personas": left, "default_id": default_id})

        await self._change(user_id, without)

    async def _change(self, user_id: UUID | None, change: Callable[[UserPersonas], UserPersonas]) -> UserPersonas:
        none = UserPersonas(user_id=user_id)
        return await self._records.change(owner_name(user_id), lambda held: change(held or none))


_libraries: WeakKeyDictionary[Storage, PersonaLibrary] = WeakKeyDictionary()


def personas_of(storage: Storage) -> PersonaLibrary:
    """Return the personas of a storage, the same for all who ask. Raises ``ConfigurationError``."""
    if storage not in _libraries:
        _libraries[storage] = PersonaLibrary(storage, read_settings(CharactersSettings))
    return _libraries[storage]


def _updated(persona: Persona, fields: Mapping[str, Any]) -> Persona:
    return _checked({**persona.model_dump(), "updated_at": utc_now()}, fields)


def _checked(known: Mapping[str, Any], fields: Mapping[str, Any]) -> Persona:
    for name in fields:
        if name not in EDITABLE:
            raise InvalidRequest(f"{name}: is no field of a persona that can be set: name, description", param=name)
    try:
        return Persona.model_validate({**known, **fields})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(map(str, problem["loc"]))
        raise InvalidRequest(f"{param}: {problem['msg'].removeprefix('Value error, ')}", param=param) from None
