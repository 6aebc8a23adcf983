import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from idolchat_characters import CardRefused
from idolchat_characters.cards import read_card, write_card

VP8X = b"\x0c\0\0\0" + bytes(6)
PIXELS = b"VP8L", b"\x2f\0\0\0\0"
CARD = json.dumps({"name": "Aoi", "first_mes": "é"}, ensure_ascii=False).encode()


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    written = [kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks]
    body = b"WEBP" + b"".join(written)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(value: bytes, order: str = "<", *, tag: int = 0x9286) -> bytes:
    """TIFF with a directory that points to an Exif directory with one value."""
    first = struct.pack(f"{order}HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack(f"{order}HHHIII", 1, tag, 7, len(value), 44, 0)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", 8) + first + second + value


@pytest.mark.parametrize(
    "chunk",
    [
        (b"EXIF", exif(b"ASCII\0\0\0" + CARD)),
        (b"EXIF", b"Exif\0\0" + exif(bytes(8) + CARD, ">")),
        (b"EXIF", exif(b"UNICODE\0" + CARD.decode().encode("utf-16-be"), ">")),
        (b"EXIF", exif(b"ASCII\0\0\0" + base64.b64encode(CARD))),
        (b"EXIF", exif(b"ASCII\0\0\0" + ",".join(map(str, CARD)).encode())),
        (b"EXIF", exif(CARD + b"\0", tag=0x010E)),
        (b"XMP ", b'<x:xmpmeta><rdf:Description tavern:chara="%s"/></x:xmpmeta>' % base64.b64encode(CARD)),
        (b"XMP ", b"<exif:UserComment><rdf:li>" + CARD.replace(b'"', b"&quot;") + b"</rdf:li></exif:UserComment>"),
    ],
)
def test_a_card_in_the_metadata_is_read(chunk: tuple[bytes, bytes]) -> None:
    reading = read_card(webp((b"VP8X", VP8X), PIXELS, chunk))

    assert (reading.format, reading.character.name, reading.character.first_mes) == ("webp", "Aoi", "é")
    assert "export it as PNG" in reading.warnings[0].message


@pytest.mark.parametrize(
    "chunks", [[], [(b"EXIF", exif(b"ASCII\0\0\0a cat"))], [(b"EXIF", b"MM")], [(b"XMP ", b"<chara>")]]
)
def test_a_webp_without_a_card_is_refused(chunks: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(CardRefused, match="WebP without a card"):
        read_card(webp((b"VP8X", VP8X), *chunks))


def test_the_image_of_a_card_does_not_hold_the_card() -> None:
    (icon,) = read_card(webp((b"VP8X", VP8X), PIXELS, (b"EXIF", exif(b"ASCII\0\0\0" + CARD)))).assets

    assert icon.content == webp((b"VP8X", bytes(10)), PIXELS)


def test_an_unedited_webp_is_given_back() -> None:
    original = webp(PIXELS, (b"EXIF", exif(b"ASCII\0\0\0" + CARD)))

    assert write_card(read_card(original).character, "webp", original=original) == original


@pytest.mark.parametrize("card_format", ["json", "png", "charx"])
def test_an_edited_webp_keeps_its_image_in_other_formats(card_format: Any) -> None:
    original = webp(PIXELS, (b"EXIF", exif(b"ASCII\0\0\0" + CARD)))
    edited = read_card(original).character.model_copy(update={"name": "Mika"})

    reading = read_card(write_card(edited, card_format, original=original))

    assert reading.character.name == "Mika"
    assert [asset.content for asset in reading.assets if asset.media_type == "image/webp"] == [webp(PIXELS)]


def test_a_png_of_a_webp_card_can_be_made_of_another_image(make_png: Callable[..., bytes]) -> None:
    original = webp(PIXELS, (b"EXIF", exif(b"ASCII\0\0\0" + CARD)))

    content = write_card(read_card(original).character, "png", original=original, image=make_png())

    assert read_card(content).image == make_png()
