"""The library over a storage: rights, slugs, versions, lists, and what is kept beside a character."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from idolchat_characters import Character
from idolchat_characters.errors import CharacterDamaged, SlugTaken, TooManyCharacters, VersionConflict
from idolchat_characters.library import CharacterLibrary, Viewer
from idolchat_characters.library.records import ASSETS, CHARACTERS
from idolchat_characters.settings import CharactersSettings
from idolchat_core import InvalidRequest, Record, new_id
from idolchat_core.testing import InMemoryStorage

OPERATOR = Viewer(is_bound=False, is_operator=True)


def user() -> Viewer:
    return Viewer(user_id=uuid4())


async def test_a_stored_character_is_read_again_with_all_its_fields(library: CharacterLibrary) -> None:
    made = Character(name="Mika", tags=("idol",), extensions={"depth_prompt": {"depth": 4}}, creator_notes="é日本")
    stored = await library.create(made, OPERATOR)

    found = await library.find(str(stored.id), OPERATOR)

    assert found == stored
    assert found.character == made.model_copy(update={"slug": "mika"})


async def test_a_private_character_is_unknown_to_others(library: CharacterLibrary) -> None:
    ana, ben = user(), user()
    stored = await library.create(Character(name="Mika"), ana)

    found = [await library.find(name, viewer) for viewer in (ana, ben) for name in (str(stored.id), "mika")]

    assert found == [stored, stored, None, None]
    assert (await library.list(ben)).data == ()


async def test_a_hidden_character_is_for_those_who_know_its_id(library: CharacterLibrary) -> None:
    stored = await library.create(Character(name="Mika", visibility="hidden"), OPERATOR)
    ben = user()

    assert await library.find(str(stored.id), ben) == stored
    assert await library.find("mika", ben) is None
    assert (await library.list(ben)).data == ()


@pytest.mark.parametrize("visibility", ["public", "hidden"])
async def test_only_an_operator_publishes(library: CharacterLibrary, visibility: str) -> None:
    ana = user()
    stored = await library.create(Character(name="Mika"), ana)

    with pytest.raises(InvalidRequest, match="visibility: only an operator"):
        await library.update(stored, {"visibility": visibility}, ana)
    assert (await library.update(stored, {"visibility": visibility}, OPERATOR)).character.visibility == visibility


async def test_nobody_makes_a_character_for_another_user(library: CharacterLibrary) -> None:
    with pytest.raises(InvalidRequest, match="owner_id"):
        await library.create(Character(name="Mika", owner_id=uuid4()), user())


async def test_slugs_are_unique_for_each_owner_and_among_public_ones(library: CharacterLibrary) -> None:
    ana, ben = user(), user()
    viewers = [ana, ana, ben]
    private = [await library.create(Character(name="Mika"), viewer) for viewer in viewers]
    public = [await library.create(Character(name="Mika", visibility="public"), OPERATOR) for _ in range(2)]

    assert [one.character.slug for one in (*private, *public)] == ["mika", "mika-2", "mika", "mika", "mika-2"]
    with pytest.raises(SlugTaken, match="'mika' is taken among the public characters"):
        await library.update(private[0], {"visibility": "public"}, OPERATOR)


async def test_ones_own_slug_goes_before_a_public_one(library: CharacterLibrary) -> None:
    ana = user()
    public = await library.create(Character(name="Mika", visibility="public"), OPERATOR)
    own = await library.create(Character(name="Mika"), ana)

    assert await library.find("mika", ana) == own
    assert await library.find("mika", user()) == public


async def test_a_change_for_an_older_version_is_refused(library: CharacterLibrary) -> None:
    stored = await library.create(Character(name="Mika"), OPERATOR)
    changed = await library.update(stored, {"nickname": "Mi"}, OPERATOR, version=1)

    assert (changed.version, changed.character.nickname) == (2, "Mi")
    with pytest.raises(VersionConflict, match="is at version 2, not 1"):
        await library.update(stored, {"nickname": "Mo"}, OPERATOR, version=1)


class SlowStorage(InMemoryStorage):
    """Lets others do something between a read and a write, as other processes do."""

    async def read_record(self, namespace: str, name: str) -> Record | None:
        found = await super().read_record(namespace, name)
        await asyncio.sleep(0)
        return found


@pytest.fixture
def processes() -> list[CharacterLibrary]:
    """Return libraries that know nothing of each other."""
    storage = SlowStorage()
    return [CharacterLibrary(storage, CharactersSettings()) for _ in range(5)]


async def test_no_process_loses_what_another_has_changed(processes: list[CharacterLibrary]) -> None:
    stored = await processes[0].create(Character(name="Mika"), OPERATOR)
    fields = ("nickname", "creator", "scenario", "personality", "description")
    changes = zip(processes, fields, strict=True)
    await asyncio.gather(*(process.update(stored, {field: field}, OPERATOR) for process, field in changes))

    found = await processes[0].find(str(stored.id), OPERATOR)
    assert found is not None
    assert found.version == 1 + len(fields)
    assert {field: getattr(found.character, field) for field in fields} == {field: field for field in fields}


async def test_of_processes_that_mean_one_version_one_changes_it(processes: list[CharacterLibrary]) -> None:
    stored = await processes[0].create(Character(name="Mika"), OPERATOR)
    changes = (
        process.update(stored, {"nickname": str(number)}, OPERATOR, version=1)
        for number, process in enumerate(processes)
    )
    outcomes = await asyncio.gather(*changes, return_exceptions=True)

    [changed] = [one for one in outcomes if not isinstance(one, BaseException)]
    assert sum(isinstance(one, VersionConflict) for one in outcomes) == len(processes) - 1
    assert await processes[0].find(str(stored.id), OPERATOR) == changed


async def test_a_change_brings_no_deleted_character_back(processes: list[CharacterLibrary]) -> None:
    stored = await processes[0].create(Character(name="Mika"), OPERATOR)
    await processes[1].delete(stored)

    with pytest.raises(VersionConflict, match="is deleted"):
        await processes[0].update(stored, {"nickname": "Mi"}, OPERATOR)
    assert await processes[0].find(str(stored.id), OPERATOR) is None


@pytest.mark.parametrize(
    ("changes", "param"), [({"nmae": "x"}, "nmae"), ({"name": " "}, "name"), ({"sampling": {"n": 2}}, "sampling.n")]
)
async def test_a_wrong_field_is_refused_by_its_name(
    library: CharacterLibrary, changes: dict[str, object], param: str
) -> None:
    stored = await library.create(Character(name="Mika"), OPERATOR)

    with pytest.raises(InvalidRequest) as refusal:
        await library.update(stored, changes, OPERATOR)
    assert refusal.value.param == param


async def test_lists_come_newest_first_by_page_tag_and_words(library: CharacterLibrary) -> None:
    made = [await library.create(Character(name=f"Mika {n}", tags=("Idol",)), OPERATOR) for n in range(5)]
    await library.create(Character(name="Ren", tags=("rival",)), OPERATOR)

    first = await library.list(OPERATOR, tag="idol", limit=3)
    rest = await library.list(OPERATOR, tag="idol", limit=3, before=first.next)

    assert [one.id for one in (*first.data, *rest.data)] == [one.id for one in reversed(made)]
    assert (first.has_more, rest.has_more, rest.next) == (True, False, None)
    assert [one.name for one in (await library.list(OPERATOR, text="RIV ren")).data] == ["Ren"]


async def test_an_imported_card_goes_out_byte_for_byte_until_it_is_edited(
    library: CharacterLibrary, read_sample: Callable[[str], bytes]
) -> None:
    content = read_sample("31_v3_both.png")
    stored, _ = await library.import_card(content, OPERATOR)
    edited = await library.update(stored, {"nickname": "edited"}, OPERATOR)

    assert await library.export(stored) == (content, "png")
    assert (await library.export(edited))[0] != content


async def test_the_picture_of_a_card_is_kept_and_goes_with_the_character(
    library: CharacterLibrary, storage: InMemoryStorage, read_sample: Callable[[str], bytes]
) -> None:
    stored, _ = await library.import_card(read_sample("31_v3_both.png"), OPERATOR)
    found = await library.asset(stored, stored.icon or "")
    await library.delete(stored)

    assert found is not None
    assert found[0].media_type == "image/png"
    assert not [*await storage.list_records(CHARACTERS), *await storage.list_records(ASSETS)]
    assert await library.find(str(stored.id), OPERATOR) is None


async def test_a_file_that_is_too_large_stays_in_the_card_alone(
    storage: InMemoryStorage, read_sample: Callable[[str], bytes]
) -> None:
    content = read_sample("50.charx")
    settings = CharactersSettings().model_copy(update={"max_asset_bytes": 1})
    library = CharacterLibrary(storage, settings)
    stored, _ = await library.import_card(content, OPERATOR)

    assert stored.assets == ()
    assert (await library.export(stored))[0] == content


async def test_a_user_has_at_most_so_many_characters(storage: InMemoryStorage) -> None:
    library = CharacterLibrary(storage, CharactersSettings().model_copy(update={"max_per_user": 1}))
    ana = user()
    await library.create(Character(name="Mika"), ana)

    with pytest.raises(TooManyCharacters, match="IDOLCHAT_CHARACTERS_MAX_PER_USER"):
        await library.create(Character(name="Ren"), ana)


async def test_what_another_process_stored_and_deleted_is_seen(storage: InMemoryStorage) -> None:
    here, elsewhere = (CharacterLibrary(storage, CharactersSettings()) for _ in range(2))
    gone = await here.create(Character(name="Mika"), OPERATOR)
    await elsewhere.delete(gone)
    came = await elsewhere.create(Character(name="Ren"), OPERATOR)

    assert await here.find(str(came.id), OPERATOR) == came
    assert await here.find(str(gone.id), OPERATOR) is None
    assert [one.name for one in (await here.list(OPERATOR)).data] == ["Ren"]


async def test_a_private_character_is_a_record_about_its_owner_and_a_public_one_is_not(
    library: CharacterLibrary,
) -> None:
    ana = user()
    stored = await library.create(Character(name="Mika"), ana)
    public = await library.update(stored, {"visibility": "public"}, OPERATOR)

    assert (stored.user_id, public.user_id) == (ana.user_id, None)


async def test_a_list_among_10_000_takes_less_than_50_ms(library: CharacterLibrary, storage: InMemoryStorage) -> None:
    one = await library.create(Character(name="Mika", tags=("idol",)), OPERATOR)
    for number in range(10_000):
        character = one.character.model_copy(update={"name": f"Idol {number}", "slug": f"idol-{number}"})
        record = one.model_copy(update={"id": UUID(int=number), "character": character})
        await storage.put_record(CHARACTERS, str(record.id), record.model_dump_json().encode())
    library = CharacterLibrary(storage, CharactersSettings())
    await library.load()
    times_s = []
    for viewer, text in ((user(), "nobody"), (OPERATOR, "idol 7"), (OPERATOR, None)):
        started_at = time.process_time()
        await library.list(viewer, tag="idol", text=text, limit=100)
        times_s.append(time.process_time() - started_at)

    assert max(times_s) < 0.05, times_s


async def test_cards_without_a_character_are_removed_after_a_day(
    library: CharacterLibrary, storage: InMemoryStorage, read_sample: Callable[[str], bytes]
) -> None:
    stored, _ = await library.import_card(read_sample("02_v2.json"), OPERATOR)
    await storage.put_record(ASSETS, f"{new_id()}.card", b"being imported")
    await storage.put_record(ASSETS, f"{UUID(int=7)}.card", b"left behind")

    assert await library.remove_orphans() == 1
    assert (await library.export(stored))[0] == read_sample("02_v2.json")


class TestPictures:
    """The files that a character's assets hold."""

    def icon(self, content: bytes) -> dict[str, str]:
        data = base64.b64encode(content).decode()
        return {"type": "icon", "name": "main", "ext": "png", "uri": f"data:image/png;base64,{data}"}

    async def test_a_picture_is_given_changed_and_taken(
        self, library: CharacterLibrary, storage: InMemoryStorage, make_png: Callable[..., bytes]
    ) -> None:
        viewer, first, second = user(), make_png(), make_png((b"tEXt", b"a\0b"))
        made = await library.create_from({"name": "Mika", "assets": [self.icon(first)]}, viewer)
        changed = await library.update(made, {"assets": [self.icon(second)]}, viewer, version=1)
        assert made.icon is not None
        assert changed.icon is not None
        found = await library.asset(changed, changed.icon)
        taken = await library.update(changed, {"assets": []}, viewer)

        assert made.icon != changed.icon
        assert found is not None
        assert found[1] == second
        assert (taken.icon, taken.assets) == (None, ())
        kept = await storage.list_records(ASSETS, after="", limit=10)
        assert [name for name in kept if "icon" in name] == []

    async def test_a_new_picture_leaves_with_the_card(
        self, library: CharacterLibrary, make_png: Callable[..., bytes], make_json: Callable[..., bytes]
    ) -> None:
        record, _ = await library.import_card(make_json(), OPERATOR)
        changed = await library.update(record, {"assets": [self.icon(make_png())]}, OPERATOR)
        content, _ = await library.export(changed, "json")
        again, _ = await library.import_card(content, OPERATOR)

        assert json.loads(content)["data"]["assets"][0]["uri"].startswith("data:image/png;base64,")
        assert again.icon is not None

    async def test_the_cards_own_picture_stays_beside_another_change(
        self,
        library: CharacterLibrary,
        make_png: Callable[..., bytes],
        card_chunk: Callable[..., object],
        make_card: Callable[..., object],
    ) -> None:
        image = make_png(card_chunk("chara", make_card()))
        record, _ = await library.import_card(image, OPERATOR)
        more = {"type": "background", "name": "stage", "ext": "png", "uri": self.icon(make_png())["uri"]}
        own = {"type": "icon", "name": "main", "ext": "png", "uri": "ccdefault:"}
        changed = await library.update(record, {"assets": [own, more]}, OPERATOR)

        assert [(asset.type, asset.media_type) for asset in changed.assets] == [
            ("icon", "image/png"),
            ("background", "image/png"),
        ]
        assert all([await library.asset(changed, asset.file_name) for asset in changed.assets])

    async def test_a_picture_that_is_too_large_is_refused(
        self, library: CharacterLibrary, make_png: Callable[..., bytes]
    ) -> None:
        large = make_png((b"tEXt", b"a\0" + b"b" * library.settings.max_asset_bytes))

        with pytest.raises(InvalidRequest, match="IDOLCHAT_CHARACTERS_MAX_ASSET_BYTES"):
            await library.create_from({"name": "Mika", "assets": [self.icon(large)]}, user())

    async def test_a_change_that_comes_too_late_leaves_the_picture(
        self, library: CharacterLibrary, make_png: Callable[..., bytes]
    ) -> None:
        made = await library.create_from({"name": "Mika", "assets": [self.icon(make_png())]}, OPERATOR)
        await library.update(made, {"name": "Miku"}, OPERATOR)

        with pytest.raises(VersionConflict):
            await library.update(made, {"assets": []}, OPERATOR, version=1)
        assert made.icon is not None
        assert await library.asset(made, made.icon) is not None


@pytest.mark.parametrize("value", [b"{}", b"\xff", b'{"id": 1}'])
async def test_a_record_that_cannot_be_read_is_named_and_leaves_the_others_usable(
    storage: InMemoryStorage, library: CharacterLibrary, value: bytes
) -> None:
    kept = await library.create(Character(name="Mika"), OPERATOR)
    lost = await library.create(Character(name="Ren"), OPERATOR)
    await storage.put_record(CHARACTERS, str(lost.id), value)
    fresh = CharacterLibrary(storage, CharactersSettings())

    listed = await fresh.list(OPERATOR)
    with pytest.raises(CharacterDamaged, match=f"characters/{lost.id} cannot be read .*idol characters delete"):
        await fresh.find(str(lost.id), OPERATOR)
    another = await fresh.create(Character(name="Ren"), OPERATOR)

    assert [one.id for one in listed.data] == [kept.id]
    assert await fresh.find("mika", OPERATOR) == kept
    assert another.character.slug == "ren-2"
    assert list(await fresh.newest(9)) == [another, kept]


async def test_a_character_whose_record_cannot_be_read_is_deleted_with_card_and_files(
    storage: InMemoryStorage, library: CharacterLibrary, make_json: Callable[..., bytes]
) -> None:
    lost, _ = await library.import_card(make_json(name="Ren"), OPERATOR)
    await storage.put_record(CHARACTERS, str(lost.id), b"{}")

    await library.delete_damaged(lost.id)

    assert await library.find(str(lost.id), OPERATOR) is None
    assert list(await storage.list_records(ASSETS)) == []
