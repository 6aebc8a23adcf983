import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from idolchat_characters import CardRefused
from idolchat_characters.cards import read_card, write_card

type MakeCard = Callable[..., dict[str, Any]]
type MakePng = Callable[..., bytes]
type CardChunk = Callable[..., tuple[bytes, bytes]]


def card_in(content: bytes, keyword: bytes) -> Any:
    """The JSON of a text chunk, found by its bytes."""
    at = content.index(b"tEXt" + keyword + b"\0")
    length = int.from_bytes(content[at - 4 : at])
    return json.loads(base64.b64decode(content[at + 4 + len(keyword) + 1 : at + 4 + length]))


def test_v3_counts_before_v2(make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard) -> None:
    v2, v3 = make_card(name="Two"), make_card("chara_card_v3", name="Three")
    content = make_png(card_chunk("chara", v2), card_chunk("ccv3", v3))

    assert read_card(content).character.name == "Three"


def test_the_first_of_two_chunks_counts(make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard) -> None:
    content = make_png(card_chunk("chara", make_card(name="First")), card_chunk("Chara", make_card(name="Second")))

    reading = read_card(content)

    assert reading.character.name == "First"
    assert "more than once" in reading.warnings[0].message


@pytest.mark.parametrize(
    "broken", [b"ccv3\0!!!", b"ccv3\0" + base64.b64encode(b"{"), b"ccv3\0" + base64.b64encode(b"{}")]
)
def test_v2_is_taken_where_v3_cannot_be_read(
    broken: bytes, make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard
) -> None:
    reading = read_card(make_png((b"tEXt", broken), card_chunk("chara", make_card())))

    assert reading.version == "v2"
    assert reading.warnings[0].place == "chunk ccv3"


def test_a_wrong_checksum_is_a_warning(make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard) -> None:
    kind, data = card_chunk("chara", make_card())
    checksum = zlib.crc32(kind + data).to_bytes(4)

    reading = read_card(make_png((kind, data)).replace(checksum, b"oops"))

    assert [problem.place for problem in reading.warnings if "checksum" in problem.message] == ["chunk chara"]


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [
        (b"tEXt", b"chara\0", bytes),
        (b"tEXt", b"CHARA\0", base64.encodebytes),
        (b"tEXt", b"chara\0", base64.urlsafe_b64encode),
        (b"zTXt", b"chara\0\0", lambda text: zlib.compress(base64.b64encode(text))),
        (b"iTXt", b"chara\0\1\0ja\0kyara\0", zlib.compress),
        (b"iTXt", b"chara\0\0\0\0\0", base64.b64encode),
    ],
)
def test_every_kind_of_text_chunk_is_read(
    kind: bytes, begin: bytes, end: Callable[[bytes], bytes], make_png: MakePng, make_card: MakeCard
) -> None:
    text = json.dumps(make_card(name="葵🌸"), ensure_ascii=False).encode()

    assert read_card(make_png((kind, begin + end(text)))).character.name == "葵🌸"


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (b"zTXt", b"chara\0\0not packed", "cannot be unpacked"),
        (b"zTXt", b"chara\0\0" + zlib.compress(b"e30=")[:-5], "ends too early"),
        (b"tEXt", b"chara\0abcde", "no base64"),
        (b"tEXt", b"parameters\0steps: 20", "it has text chunks parameters"),
    ],
)
def test_a_chunk_that_cannot_be_read_is_named(kind: bytes, data: bytes, message: str, make_png: MakePng) -> None:
    with pytest.raises(CardRefused, match=message):
        read_card(make_png((kind, data)))


def test_a_png_that_is_cut_behind_its_card_is_read(
    make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard
) -> None:
    reading = read_card(make_png(card_chunk("chara", make_card()))[:-20])

    assert reading.character.name == "Aoi"
    assert "is cut at byte" in reading.warnings[0].message


def test_the_image_of_a_card_does_not_hold_the_card(
    make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard
) -> None:
    content = make_png(card_chunk("chara", make_card()), (b"tEXt", b"Author\0me")) + b"behind"

    (icon,) = read_card(content).assets

    assert icon.content == make_png((b"tEXt", b"Author\0me"))


def test_an_edit_changes_the_card_and_no_other_byte(
    make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard
) -> None:
    others = [(b"tEXt", b"Author\0me"), (b"fcTL", bytes(26))]
    original = make_png(card_chunk("CHARA", make_card()), *others) + b"behind"
    edited = read_card(original).character.model_copy(update={"nickname": "Ao"})

    content = write_card(edited, "png", original=original)

    start, end = content.index(b"tEXtchara") - 4, content.index(b"IEND") - 4
    assert content[:start] + content[end:] == make_png(*others) + b"behind"
    assert card_in(content, b"ccv3")["data"]["nickname"] == "Ao"


def test_the_v2_beside_v3_has_neither_its_fields_nor_decorators(make_json: Callable[..., bytes]) -> None:
    entry = {"keys": ["k"], "content": "@@depth 4\n@@role user\nThe stage.\n@@kept", "x_mine": 1}
    original = make_json(character_book={"entries": [entry]}, nickname="Ao", x_unknown=1)

    content = write_card(read_card(original).character, "png")

    v2, v3 = card_in(content, b"chara"), card_in(content, b"ccv3")
    assert (v2["spec"], v3["spec"]) == ("chara_card_v2", "chara_card_v3")
    assert v2["data"]["character_book"]["entries"] == [entry | {"content": "The stage.\n@@kept"}]
    assert v3["data"]["character_book"]["entries"] == [entry]
    assert v2["data"].keys() & {"nickname", "group_only_greetings", "x_unknown"} == {"x_unknown"}


def test_assets_in_chunks_are_found_and_stay(make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard) -> None:
    picture = make_png()
    assets = [{"type": "emotion", "uri": "__asset:0", "name": "happy", "ext": "png"}]
    chunk = (b"tEXt", b"chara-ext-asset_:0\0" + base64.b64encode(picture))
    original = make_png(card_chunk("ccv3", make_card("chara_card_v3", assets=assets)), chunk)
    reading = read_card(original)

    content = write_card(reading.character.model_copy(update={"creator": "me"}), "png", original=original)

    assert [asset.content for asset in reading.assets] == [picture]
    assert read_card(content).assets == reading.assets
    assert content.count(b"chara-ext-asset_") == 1


def test_a_card_without_an_image_gets_a_plain_one(make_json: Callable[..., bytes]) -> None:
    (icon,) = read_card(write_card(read_card(make_json()).character, "png")).assets

    assert icon.media_type == "image/png"


def test_a_new_image_takes_the_place_of_the_old(make_png: MakePng, card_chunk: CardChunk, make_card: MakeCard) -> None:
    original, image = make_png(card_chunk("chara", make_card())), make_png((b"tEXt", b"Author\0new"))

    content = write_card(read_card(original).character, "png", original=original, image=image)

    assert read_card(content).image == image


@pytest.mark.parametrize("cut", [1, 12, 20])
def test_an_image_that_is_cut_is_written_into_and_stays(
    cut: int, make_json: Callable[..., bytes], make_png: MakePng
) -> None:
    image = make_png()[:-cut]

    content = write_card(read_card(make_json()).character, "png", image=image)

    start = content.index(b"tEXtchara") - 4
    assert read_card(content).character.name == "Aoi"
    assert content[:start] + content[start + len(content) - len(image) :] == image


def test_an_image_without_a_chunk_is_not_written_into(make_json: Callable[..., bytes]) -> None:
    with pytest.raises(CardRefused, match="without any whole chunk"):
        write_card(read_card(make_json()).character, "png", image=b"\x89PNG\r\n\x1a\n")
