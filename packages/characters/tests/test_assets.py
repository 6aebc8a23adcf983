import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_characters import CardAsset, Character
from idolchat_characters.cards import RASTER_TYPES, embedded_assets, main_icon, media_type_of, read_card

type MakeJson = Callable[..., bytes]

AVIF = b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (b"\xff\xd8\xff\xe1..", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a...", "image/gif"),
        (AVIF, "image/avif"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmiaf", "image/avif"),
        (b"\0\0\0\x1cftypmp42avif\0\0\0\0miaf", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"<html><script>", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_the_type_of_an_image_is_read_from_its_bytes(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type
    assert media_type is None or media_type in RASTER_TYPES


@pytest.mark.parametrize(
    ("uri", "content"),
    [
        (f"data:image/png;base64,{base64.b64encode(AVIF).decode()}", AVIF),
        (f"DATA:;BASE64,{base64.b64encode(AVIF).decode()}", AVIF),
        ("data:text/plain,a%20b", b"a b"),
        ("data:,", b""),
        ("embeded://a/b.png", b"file"),
        ("EMBEDDED://a//b.png ", b"file"),
        ("__asset:a/b.png", b"file"),
        ("ccdefault:", b"image"),
    ],
)
def test_what_a_uri_names_in_the_card_is_found(uri: str, content: bytes) -> None:
    character = Character(name="Aoi", assets=(CardAsset(type="icon", uri=uri, name="main"),))

    (asset,) = embedded_assets(character, files={"a/b.png": b"file"}, image=b"image")

    assert asset.content == content


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("https://example.org/a.png", "never fetched"),
        ("//example.org/a.png", "never fetched"),
        ("file:///etc/passwd", "no file that the card holds"),
        ("embeded://missing.png", "no file that the card holds"),
        ("embeded://../../etc/passwd", "leads out"),
        ("data:image/png;base64,abcde", "no base64"),
    ],
)
def test_what_is_elsewhere_is_named_and_not_looked_for(uri: str, problem: str, make_json: MakeJson) -> None:
    reading = read_card(make_json(assets=[{"type": "icon", "uri": uri, "name": "main", "ext": "png"}]))

    assert reading.assets == ()
    assert [one.message for one in reading.warnings if one.place == "data.assets.0.uri" and problem in one.message]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=8))
def test_file_names_are_safe_and_unique(names: list[tuple[str, str]]) -> None:
    assets = tuple(CardAsset(type=kind, uri="ccdefault:", name=name) for kind, name in names)
    found = embedded_assets(Character(name="Aoi", assets=assets), files={}, image=b"x")

    written = [asset.file_name for asset in found]

    assert all(re.fullmatch(r"[a-z0-9]+(--?[a-z0-9]+)*\.(png|jpg|webp|gif|avif|bin)", name) for name in written)
    assert len(set(written)) == len(names)


def test_the_extension_is_that_of_the_content(make_json: MakeJson) -> None:
    uri = f"data:image/png;base64,{base64.b64encode(AVIF).decode()}"
    reading = read_card(make_json(assets=[{"type": "icon", "uri": uri, "name": "main", "ext": "html"}]))

    assert [asset.file_name for asset in reading.assets] == ["icon-main.avif"]
    assert "the file is avif" in reading.warnings[-1].message


@pytest.mark.parametrize(
    ("icons", "content"), [(["side", "main"], b"1"), (["side", "other"], b"0"), (["Main"], b"0"), ([], None)]
)
def test_the_main_icon_is_the_picture(icons: list[str], content: bytes | None) -> None:
    files = {str(index): str(index).encode() for index in range(2)}
    assets = [CardAsset(type="icon", uri=f"embeded://{index}", name=name) for index, name in enumerate(icons)]
    character = Character(name="Aoi", assets=(*assets, CardAsset(type="emotion", uri="embeded://0", name="main")))

    icon = main_icon(embedded_assets(character, files=files, image=None))

    assert (icon and icon.content) == content


def test_assets_that_are_none_are_kept_apart(make_json: MakeJson) -> None:
    odd: list[Any] = [{"uri": "ccdefault:", "ext": None}, {"type": "icon"}, "icon", {"uri": "ccdefault:", "name": 3}]

    character = read_card(make_json(assets=odd)).character

    assert character.assets == (CardAsset(uri="ccdefault:"),)
    assert character.extensions["idolchat/unreadable"] == {f"assets.{index}": odd[index] for index in (1, 2, 3)}
