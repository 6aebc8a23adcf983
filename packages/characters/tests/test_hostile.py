"""Files made to take memory or time: each is refused, or read, within bounds that its size sets."""

import io
import json
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_characters import CardRefused
from idolchat_characters.cards import CardLimits, read_card, validate

MIB = 1024 * 1024
LIMITS = CardLimits(file_bytes=8 * MIB, json_bytes=MIB, json_values=50_000, archive_bytes=8 * MIB)
SAMPLES = sorted((Path(__file__).parent / "cards").iterdir())

type MakePng = Callable[..., bytes]
type MakeZip = Callable[..., bytes]


@contextmanager
def bounded(*, memory_mib: float, time_s: float) -> Iterator[None]:
    """Fail where the block takes more memory or processor time; tracing makes it several times slower."""
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        taken_s, peak_bytes = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes <= memory_mib * MIB
    assert taken_s <= time_s


def test_a_bomb_in_a_packed_chunk_is_not_unpacked(make_png: MakePng) -> None:
    bomb = zlib.compress(bytes(60 * MIB), 9)
    chunks = [(b"zTXt", b"chara\0\0" + bomb), (b"iTXt", b"ccv3\0\1\0\0\0" + bomb)]

    for chunk in chunks:
        content = make_png(chunk)
        with bounded(memory_mib=10, time_s=2), pytest.raises(CardRefused, match="unpacks to more than"):
            read_card(content, limits=LIMITS)


def test_a_chunk_that_claims_two_gigabytes_takes_none(make_png: MakePng) -> None:
    content = make_png()[:33] + struct.pack(">I4s", 2**31 - 1, b"tEXt") + b"chara\0e30="

    with bounded(memory_mib=1, time_s=1), pytest.raises(CardRefused, match="no card"):
        read_card(content, limits=LIMITS)


def test_a_png_of_empty_chunks_is_counted_only_so_far() -> None:
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sI", 0, b"tEXt", 0) * 600_000

    with bounded(memory_mib=60, time_s=5), pytest.raises(CardRefused, match="more than 100,000 chunks"):
        read_card(content, limits=LIMITS)


def test_a_zip_bomb_is_refused_by_its_directory(make_zip: MakeZip) -> None:
    content = make_zip({"card.json": b"{}", "bomb": bytes(60 * MIB)})

    with bounded(memory_mib=5, time_s=1), pytest.raises(CardRefused, match="unpacks to more than"):
        read_card(content, limits=LIMITS)


@pytest.mark.parametrize(("path", "place"), [("card.json", "card.json"), ("assets/a.png", "entry assets/a.png")])
def test_a_zip_bomb_that_lies_about_its_size_is_not_unpacked(path: str, place: str, make_zip: MakeZip) -> None:
    content = bytearray(make_zip({"card.json": b'{"name": "Aoi"}'} | {path: bytes(60 * MIB)}))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 1000)  # the unpacked size

    with bounded(memory_mib=5, time_s=2):
        problems = validate(bytes(content), limits=LIMITS).problems

    assert [problem.place for problem in problems if "is damaged" in problem.message] == [place]


def test_entries_that_share_their_bytes_count_each(make_zip: MakeZip) -> None:
    """The bomb of overlapping files (Fifield 2019): a directory whose entries all unpack the same bytes."""
    content = make_zip({"card.json": b'{"name": "Aoi"}', "a": bytes(MIB)})
    at, end = content.rindex(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    entries = b"".join(
        content[at : at + 28] + struct.pack("<H", 4) + content[at + 30 : at + 46] + b"%04d" % number
        for number in range(100)
    )
    start = struct.unpack_from("<I", content, end + 16)[0]
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 101, 101, at - start + len(entries), start, 0)

    with bounded(memory_mib=5, time_s=1), pytest.raises(CardRefused, match="unpacks to more than 8,388,608 bytes"):
        read_card(content[:at] + entries + tail, limits=LIMITS)


def test_a_directory_of_many_entries_is_not_read() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for number in range(10_000):
            archive.writestr(f"{number}", b"")
        archive.writestr("card.json", b'{"name": "Aoi"}')

    with bounded(memory_mib=1, time_s=1), pytest.raises(CardRefused, match="more than 10,000 entries"):
        read_card(written.getvalue(), limits=LIMITS)


def test_ten_thousand_entries_are_read() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("card.json", b'{"name": "Aoi"}')
        for number in range(9_999):
            archive.writestr(f"{number}", b"x")

    with bounded(memory_mib=20, time_s=10):
        assert len(read_card(written.getvalue(), limits=LIMITS).files) == 9_999


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [65, 5_000, 40_000])
def test_deep_nesting_is_refused(opening: bytes, depth: int) -> None:
    content = b'{"name": "Aoi", "x": ' + opening * depth

    for ending in (b"", b"1" + {b"[": b"]"}.get(opening, b"}") * depth + b"}"):
        with bounded(memory_mib=20, time_s=2), pytest.raises(CardRefused, match=r"levels deep|no JSON"):
            read_card(content + ending, limits=LIMITS)


@pytest.mark.parametrize("value", [b"[],", b"{},", b'{"":{}},', b"1,", b'"",'])
def test_many_small_values_are_refused_before_they_are_made(value: bytes) -> None:
    content = b'{"name": "Aoi", "x": [' + value * 100_000 + b"0]}"

    with bounded(memory_mib=5, time_s=1), pytest.raises(CardRefused, match="more than 50,000 values"):
        read_card(content, limits=LIMITS)


def test_as_many_values_as_are_allowed_take_bounded_memory() -> None:
    content = b'{"name": "Aoi", "x": [' + b'{"a":{}},' * 16_000 + b"0]}"

    with bounded(memory_mib=40, time_s=5):
        read_card(content, limits=LIMITS)


def test_long_names_above_many_values_are_not_copied_for_each() -> None:
    content = b'{"name": "Aoi", "%s": [' % (b"k" * 900_000) + b"[],[9e999]," * 10_000 + b"0]}"

    with bounded(memory_mib=40, time_s=1.5):
        read_card(content, limits=LIMITS)


def test_many_commas_and_brackets_in_prose_are_no_values(make_json: Callable[..., bytes]) -> None:
    content = make_json(description="Well, she sings, and, as one says, dances. " * 5_000)

    assert read_card(content, limits=LIMITS).character.name == "Aoi"


def test_many_comments_of_one_picture_are_not_all_read() -> None:
    entry = struct.pack("<HHII", 0x9286, 7, MIB // 2, 26)
    tiff = b"II*\0" + struct.pack("<IH", 8, 60_000) + entry * 60_000 + bytes(MIB // 2)
    content = b"RIFF\0\0\0\0WEBPEXIF" + struct.pack("<I", len(tiff)) + tiff

    with bounded(memory_mib=20, time_s=2), pytest.raises(CardRefused, match="without a card"):
        read_card(content, limits=LIMITS)


def test_markup_that_does_not_end_takes_linear_time() -> None:
    xmp = (b"<chara " * 80_000 + b"<a:" * 80_000 + b"chara =" + b" " * 80_000)[: 2 * MIB]
    content = b"RIFF\0\0\0\0WEBPXMP " + struct.pack("<I", len(xmp)) + xmp

    with bounded(memory_mib=20, time_s=2), pytest.raises(CardRefused, match="without a card"):
        read_card(content, limits=LIMITS)


@pytest.mark.parametrize("unit", [b"\\ud83dx", b"%41", b"%"])
def test_texts_in_many_pieces_take_memory_by_their_length(unit: bytes) -> None:
    text = unit * (MIB // 2 // len(unit))
    content = b'{"name": "Aoi", "description": "%s", "assets": [{"uri": "data:,%s"}]}' % (text, text)

    with bounded(memory_mib=6, time_s=5):
        read_card(content, limits=CardLimits(json_bytes=2 * MIB))


@pytest.mark.parametrize("blank", [b" ", b"\0", b"\r\n"])
def test_base64_in_many_lines_takes_memory_by_its_length(blank: bytes, make_png: MakePng) -> None:
    content = make_png((b"tEXt", b"chara\0" + (b"e" + blank) * (MIB // 3)))

    with bounded(memory_mib=8, time_s=5), pytest.raises(CardRefused):
        read_card(content, limits=LIMITS)


@settings(max_examples=300)
@given(st.data())
def test_a_spoilt_file_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SAMPLES)).read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    spoilt = bytes(content)[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]

    with suppress(CardRefused):
        read_card(spoilt, limits=LIMITS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.data(),
)
def test_any_value_in_any_field_is_read_or_refused(value: Any, data: st.DataObject) -> None:
    document = json.loads((Path(__file__).parent / "cards" / "03_v3.json").read_bytes())
    field = data.draw(st.sampled_from(["spec", "spec_version", "data", *document["data"]]))
    (document if field in document else document["data"])[field] = value

    with suppress(CardRefused):
        read_card(json.dumps(document).encode(), limits=LIMITS)
