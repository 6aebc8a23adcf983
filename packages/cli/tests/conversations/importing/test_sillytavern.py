"""Chats of SillyTavern, and those of chub.ai in its form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from parts.imports import EXPORTS, imports_of, imports_of_lines, said, shown

HEADER = {"user_name": "Ann", "character_name": "Mika", "create_date": "2025-11-02@10h00m00s", "chat_metadata": {}}


def a_line(text: Any, *, user: bool = False, **fields: Any) -> dict[str, Any]:
    """Make the line of a message."""
    name = "Ann" if user else "Mika"
    return {"name": name, "is_user": user, "send_date": "2025-11-02T10:00:00.000Z", "mes": text, "extra": {}, **fields}


def test_every_file_of_a_family_is_a_conversation_of_its_own() -> None:
    found = imports_of(EXPORTS / "sillytavern-family")
    lengths = [len(conversation.messages) for conversation in found.conversations]

    assert (lengths, found.lost) == ([4, 2, 5], [])
    assert len({conversation.id for conversation in found.conversations}) == 3


def test_files_of_a_family_without_integrity_are_told_apart_too(tmp_path: Path) -> None:
    first, second = (
        imports_of_lines(tmp_path, [HEADER, a_line("Hi"), a_line(name, user=True)], name).conversations[0]
        for name in ("main.jsonl", "Branch #1.jsonl")
    )

    assert first.id != second.id


def test_a_chat_that_grew_has_the_id_and_the_messages_that_it_had(tmp_path: Path) -> None:
    (short,) = imports_of_lines(tmp_path, [HEADER, a_line("Hi")]).conversations
    (longer,) = imports_of_lines(tmp_path, [HEADER, a_line("Hi"), a_line("yo", user=True)]).conversations

    assert longer.id == short.id
    assert longer.messages[:1] == short.messages


@pytest.mark.parametrize(
    "date",
    [
        1698915600000000, "1698915600000000", "Juin 19, 2023 2:20pm", "2025-13-45@99h00m00s", "", None, True, -5, 1e300,
        float("nan"), float("inf"), 10**400, [], {"a": 1}, "yesterday", "0000-00-00", "June 99, 2023 2:20pm", "\ud83d",
    ],
)  # fmt: skip
def test_a_date_that_cannot_be_read_is_none_and_drops_nothing(tmp_path: Path, date: Any) -> None:
    lines = [HEADER | {"create_date": date}, a_line("Hi"), a_line("yo", user=True, send_date=date), a_line("so")]
    found = imports_of_lines(tmp_path, lines)
    (conversation,) = found.conversations

    assert found.lost == []
    assert said(conversation) == [("assistant", "Hi"), ("user", "yo"), ("assistant", "so")]
    assert {message.timestamp.isoformat() for message in conversation.messages} == {"2025-11-02T10:00:00+00:00"}


def test_a_date_in_microseconds_keeps_its_message() -> None:
    found = imports_of(EXPORTS / "sillytavern-microseconds.jsonl")

    assert said(found.conversations[0]) == [("assistant", "Hi"), ("user", "with micros"), ("assistant", "reply")]


def test_a_file_with_a_date_that_cannot_be_read_does_not_end_the_run() -> None:
    found = imports_of(EXPORTS / "sillytavern-dates")

    assert [said(one)[0][1] for one in found.conversations] == ["Hi A", "Hi", "Hi C"]
    assert found.lost == []


@pytest.mark.parametrize("metadata", ["x", None, [], 5])
def test_metadata_of_any_type_keeps_the_chat(tmp_path: Path, metadata: Any) -> None:
    found = imports_of_lines(tmp_path, [HEADER | {"chat_metadata": metadata}, a_line("Hi", extra=metadata)])

    assert (said(found.conversations[0]), found.lost) == ([("assistant", "Hi")], [])


def test_texts_of_chub_are_read_with_their_swipes() -> None:
    (conversation,) = imports_of(EXPORTS / "chub.jsonl").conversations

    assert said(conversation) == [("assistant", "Hello chub"), ("assistant", "Hi chub"), ("user", "hey")]
    assert shown(conversation) == [("assistant", "Hi chub"), ("user", "hey")]


def test_hidden_messages_are_kept_outside_of_the_active_branch() -> None:
    found = imports_of(EXPORTS / "sillytavern-hidden.jsonl")
    (conversation,) = found.conversations

    assert found.lost == []
    assert [text for _, text in said(conversation)] == ["Hi", "/hide-den question", "hidden answer", "shown"]
    assert shown(conversation) == [("assistant", "Hi"), ("user", "shown")]


def test_hidden_messages_at_the_end_and_comments_are_kept_so_too(tmp_path: Path) -> None:
    comment = a_line("my note", is_system=True, name="Note", extra={"type": "comment"})
    lines = [HEADER, a_line("Hi"), a_line("yo", user=True), comment, a_line("lost?", user=True, is_system=True)]
    (conversation,) = imports_of_lines(tmp_path, lines).conversations

    assert said(conversation)[2:] == [("user", "my note"), ("user", "lost?")]
    assert shown(conversation) == [("assistant", "Hi"), ("user", "yo")]


def test_notes_of_the_program_are_counted_and_a_narrator_is_the_user(tmp_path: Path) -> None:
    notes = [a_line("/?", is_system=True, extra={"type": kind}) for kind in ("help", "welcome", "help")]
    found = imports_of_lines(tmp_path, [HEADER, *notes, a_line("It rains.", extra={"type": "narrator"}), a_line("Oh")])

    assert said(found.conversations[0]) == [("user", "It rains."), ("assistant", "Oh")]
    assert (found.lost, found.left_out) == ([], {"note of the program": 3})


def test_attachments_are_named_and_reasoning_is_kept() -> None:
    found = imports_of(EXPORTS / "sillytavern-attachment.jsonl")
    picture, reply = found.conversations[0].messages

    assert (picture.role, picture.content) == ("user", "[image: user/images/x.png]")
    assert (reply.content, (reply.model_extra or {})["reasoning"]) == ("nice picture", "hm")
    assert (found.lost, sum(found.left_out.values())) == ([], 1)


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"file": {"name": "a.txt", "url": "/f/a.txt", "size": 1}}, "[file: a.txt]"),
        ({"files": [{"name": "a.txt"}, {"name": "b.txt"}]}, "[file: a.txt]\n[file: b.txt]"),
        ({"file": {"name": "a.txt", "text": "dear diary"}}, "[file: a.txt]\ndear diary"),
        ({"media": [{"type": "video", "url": "v.mp4"}]}, "[video: v.mp4]"),
        ({"video": "v.mp4"}, "[video: v.mp4]"),
        ({"image": "data:image/png;base64,AAAA"}, "[image]"),
        ({"image": "b.png", "image_swipes": ["a.png", "b.png"]}, "[image: b.png]\n[image: a.png]"),
    ],
)
def test_every_kind_of_attachment_keeps_a_message_without_words(tmp_path: Path, extra: Any, text: str) -> None:
    found = imports_of_lines(tmp_path, [HEADER, a_line("", user=True, extra=extra), a_line("I see")])

    assert said(found.conversations[0]) == [("user", text), ("assistant", "I see")]


def test_swipes_have_their_own_time_model_and_reasoning(tmp_path: Path) -> None:
    info = [{"send_date": "2025-11-02T09:59:00Z", "extra": {"model": "m/1", "reasoning": "hm"}}, {}]
    line = a_line("Two", swipes=["One", "Two"], swipe_id=1, swipe_info=info, extra={"model": "m/2"})
    (conversation,) = imports_of_lines(tmp_path, [HEADER, line]).conversations

    assert [(m.content, m.model, (m.model_extra or {}).get("reasoning")) for m in conversation.messages] == [
        ("One", "m/1", "hm"),
        ("Two", "m/2", None),
    ]


FIRST_LINES = [
    "",
    "   ",
    "\x00\x00\x00",
    '{"user_name":"Ann","character_name":"Mi',
    "{}",
    "null",
    "[object Object]",
    "x,y",
]


@pytest.mark.parametrize("first", [*FIRST_LINES, "\n\n\n"])
def test_a_blank_or_damaged_first_line_costs_no_message(tmp_path: Path, first: str) -> None:
    found = imports_of_lines(tmp_path, [first, a_line("Hi"), a_line("one", user=True)])

    assert said(found.conversations[0]) == [("assistant", "Hi"), ("user", "one")]


def test_what_is_whole_of_a_damaged_first_line_is_read() -> None:
    found = imports_of(EXPORTS / "sillytavern-first-line-damaged.jsonl")
    (conversation,) = found.conversations

    assert (conversation.model_extra or {})["imported_from"] == {"program": "sillytavern", "user_name": "Ann"}
    assert (found.lost, found.left_out) == ([], {"damaged line about the chat, before its messages": 1})


def test_a_blank_line_before_the_first_hides_no_names(tmp_path: Path) -> None:
    (conversation,) = imports_of_lines(tmp_path, ["", HEADER, a_line("Hi")]).conversations

    assert (conversation.model_extra or {})["imported_from"]["character_name"] == "Mika"


def test_a_line_that_is_cut_behind_its_text_loses_no_words(tmp_path: Path) -> None:
    cut = json.dumps(a_line("all of it", user=True)).replace('"extra": {}', '"extra": {"a')
    found = imports_of_lines(tmp_path, [HEADER, a_line("Hi"), cut])

    assert said(found.conversations[0])[-1] == ("user", "all of it")
    assert found.lost == []


def test_a_line_that_is_cut_in_its_text_is_told_as_lost(tmp_path: Path) -> None:
    cut = '{"name": "Ann", "is_user": true, "mes": "half of'
    found = imports_of_lines(tmp_path, [HEADER, a_line("Hi"), cut, a_line("so")])

    assert [text for _, text in said(found.conversations[0])] == ["Hi", "so"]
    assert found.lost == ["Mika.jsonl, line 3: line that is not valid"]


def test_chats_of_groups_have_no_names_or_no_first_line(tmp_path: Path) -> None:
    header = {"chat_metadata": {"integrity": "x"}, "user_name": "unused", "character_name": "unused"}
    named, bare = (imports_of_lines(tmp_path, [*first, a_line("Hi")]).conversations[0] for first in ([header], []))

    assert [(one.model_extra or {})["imported_from"] for one in (named, bare)] == [{"program": "sillytavern"}] * 2


@pytest.mark.parametrize("text", ["a\ud83d", "\udca8b", "\ud83d\ud83d"])
def test_half_a_surrogate_pair_becomes_a_replacement_character(tmp_path: Path, text: str) -> None:
    (conversation,) = imports_of_lines(
        tmp_path, [HEADER, a_line(text, user=True), a_line("🌸", name="\ud83d")]
    ).conversations
    content = conversation.messages[0].content

    assert isinstance(content, str)
    assert content.encode().decode() == content
    assert "\ufffd" in content
    assert conversation.messages[1].content == "🌸"


def test_bytes_that_are_no_utf_8_cost_no_message(tmp_path: Path) -> None:
    lines = [
        json.dumps(one, ensure_ascii=False)
        for one in (HEADER, a_line("Hi"), a_line("caf\xe9", user=True), a_line("so"))
    ]
    (tmp_path / "Mika.jsonl").write_bytes("\n".join(lines).encode("latin-1"))
    found = imports_of(tmp_path / "Mika.jsonl")

    assert [text for _, text in said(found.conversations[0])] == ["Hi", "caf\ufffd", "so"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "Mika.jsonl").write_text("\n".join(map(json.dumps, [HEADER, a_line("Hi 🌸")])), encoding=encoding)
    found = imports_of(tmp_path / "Mika.jsonl")

    assert (said(found.conversations[0]), found.lost) == ([("assistant", "Hi 🌸")], [])


@pytest.mark.parametrize("end", ["\n]", ",\n{"])
def test_lines_in_an_array_are_one_chat(tmp_path: Path, end: str) -> None:
    lines = [HEADER, a_line("Hi"), a_line("yo", user=True)]
    (tmp_path / "Mika.json").write_text("[" + ",\n".join(map(json.dumps, lines)) + end)
    found = imports_of(tmp_path / "Mika.json")

    assert said(found.conversations[0]) == [("assistant", "Hi"), ("user", "yo")]
    assert len(found.lost) == (end != "\n]")


def test_lines_that_end_with_a_comma_lose_nothing(tmp_path: Path) -> None:
    lines = [json.dumps(line) + "," for line in (HEADER, a_line("Hi"), a_line("yo", user=True))]
    found = imports_of_lines(tmp_path, lines)

    assert (said(found.conversations[0]), found.lost) == ([("assistant", "Hi"), ("user", "yo")], [])
