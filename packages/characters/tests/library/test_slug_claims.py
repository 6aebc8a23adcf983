"""Of several processes, each with a library of its own over one storage, one has a slug."""

import asyncio
from uuid import UUID, uuid4

import pytest

from idolchat_characters import Character
from idolchat_characters.errors import SlugTaken
from idolchat_characters.library import CharacterLibrary, CharacterRecord, Viewer, slug_claims
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.settings import CharactersSettings
from idolchat_core import IdolchatError, Storage, StorageUnavailable
from idolchat_core.testing import InMemoryStorage

MIKA = Character(name="Mika", slug="mika", visibility="public")


class RefusesCharacters(InMemoryStorage):
    """Stores no character, as a disk that fills up between two writes."""

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        if namespace == "characters":
            raise StorageUnavailable("the disk is full")
        return await super().put_record(namespace, name, value, durable=durable, if_version=if_version)


def a_process(storage: Storage) -> CharacterLibrary:
    return CharacterLibrary(storage, CharactersSettings())


async def processes(count: int) -> list[CharacterLibrary]:
    """Start processes that know of no character, and do not look again for some seconds."""
    storage = InMemoryStorage()
    libraries = [a_process(storage) for _ in range(count)]
    for library in libraries:
        await library.load()
    return libraries


async def test_of_processes_that_give_one_slug_at_once_one_succeeds() -> None:
    libraries = await processes(8)
    made = await asyncio.gather(*(one.create(MIKA, OPERATOR) for one in libraries), return_exceptions=True)
    refused = [one for one in made if isinstance(one, SlugTaken)]

    assert (len(refused), len([one for one in made if isinstance(one, CharacterRecord)])) == (7, 1)
    assert "'mika' is taken among the public characters" in str(refused[0])


async def test_slugs_that_processes_make_of_one_name_differ() -> None:
    libraries = await processes(4)
    named = Character(name="愛", visibility="public")
    made = await asyncio.gather(*(one.create(named, OPERATOR) for one in libraries))

    assert sorted(str(one.character.slug) for one in made) == ["愛", "愛-2", "愛-3", "愛-4"]


async def test_a_slug_that_another_process_has_given_cannot_be_taken_by_a_change() -> None:
    here, there = await processes(2)
    await there.create(MIKA, OPERATOR)
    rin = await here.create(Character(name="Rin", visibility="public"), OPERATOR)

    with pytest.raises(SlugTaken):
        await here.update(rin, {"slug": "mika"}, OPERATOR)


@pytest.mark.parametrize("changes", [{"slug": "ai"}, {"visibility": "private"}, None])
async def test_a_slug_that_is_given_up_can_be_had_at_once(changes: dict[str, str] | None) -> None:
    here, there = await processes(2)
    mika = await here.create(MIKA, OPERATOR)
    await (here.delete(mika) if changes is None else here.update(mika, changes, OPERATOR))

    assert (await there.create(MIKA, OPERATOR)).character.slug == "mika"


async def test_owners_have_slugs_of_their_own() -> None:
    here, there = await processes(2)
    ana, ben = (Viewer(user_id=uuid4()) for _ in range(2))
    made = [await one.create(Character(name="Mika"), viewer) for one, viewer in ((here, ana), (there, ben))]

    assert [one.character.slug for one in made] == ["mika", "mika"]


async def test_what_a_crash_has_left_keeps_nobody_from_a_slug(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = RefusesCharacters()
    with pytest.raises(IdolchatError):
        await a_process(storage).create(MIKA, OPERATOR)
    [name] = await storage.list_records("character-slugs")
    claim = await storage.get_record("character-slugs", name)
    after = InMemoryStorage()
    await after.put_record("character-slugs", name, claim or b"")
    with pytest.raises(SlugTaken):  # the process may be about to store her
        await a_process(after).create(MIKA, OPERATOR)
    monkeypatch.setattr(slug_claims, "GRACE", slug_claims.GRACE * 0)

    assert isinstance((await a_process(after).create(MIKA, OPERATOR)).id, UUID)
