import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.errors import ConversationDamaged, InvalidRequest
from idolchat_core.models import Conversation, Message, new_id
from idolchat_core.storage import document

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
ID = UUID("0197291d-2d80-7000-8000-00000000abcd")

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
extras = st.dictionaries(texts.map(lambda name: f"x-{name}"), values, max_size=3)
messages = st.builds(
    lambda content, extra: Message(id=new_id(), role="user", content=content, timestamp=NOON, **extra), texts, extras
)
conversations = st.builds(
    lambda said, extra: Conversation(id=ID, created_at=NOON, messages=tuple(said), updated_at=NOON, **extra),
    st.lists(messages, max_size=4),
    extras,
)


def said(content: str, **fields: Any) -> Message:
    return Message(id=new_id(), role="user", content=content, timestamp=NOON, **fields)


def conversation(*contents: str, **fields: Any) -> Conversation:
    return Conversation(id=ID, created_at=NOON, messages=tuple(map(said, contents)), updated_at=NOON, **fields)


@given(conversations)
def test_what_is_written_is_read_unchanged(stored: Conversation) -> None:
    data = document.encode(stored)

    assert document.decode(data, ID) == stored
    assert json.loads(data)["id"] == str(ID)


@pytest.mark.parametrize("user_id", [None, new_id(), "ana"], ids=["none", "uuid", "text"])
@pytest.mark.parametrize("texts", [[], ["one", "two"]])
def test_the_owner_stands_in_the_first_line(user_id: UUID | str | None, texts: list[str]) -> None:
    stored = document.encode(conversation(*texts, user_id=user_id))
    without_the_rest = stored.partition(b"\n")[0] + b"\n what follows is not looked at"

    assert document.owner_of(without_the_rest, ID) == user_id


def test_the_owner_of_a_file_of_another_form_is_found() -> None:
    stored = conversation("one", user_id=ID).model_dump_json(indent=2)

    assert document.owner_of(stored.encode(), ID) == ID


def test_the_owner_of_what_is_no_document_is_not_guessed() -> None:
    with pytest.raises(ConversationDamaged):
        document.owner_of(b'{"user_id": "ana"', ID)


@given(conversations)
def test_line_ends_stand_only_before_lines_and_the_closing(stored: Conversation) -> None:
    data = document.encode(stored)

    assert data.count(b"\n") == len(stored.messages) + 1
    assert data.splitlines()[-1].startswith(b'],"updated_at":') or b"\r" in data
    assert data[data.rindex(b"\n") :] == document.closing(stored)


@given(conversations, messages)
def test_replacing_the_closing_appends(stored: Conversation, message: Message) -> None:
    body = document.encode(stored).removesuffix(document.closing(stored))
    added = document.lines([message], follows=bool(stored.messages))
    grown = stored.model_copy(update={"messages": (*stored.messages, message)})

    assert body + added + document.closing(grown) == document.encode(grown)


@given(conversations)
def test_the_parts_can_be_read_one_by_one(stored: Conversation) -> None:
    opening, *lines, closing = document.encode(stored).split(b"\n")
    fields = document.parse_opening(opening)
    messages = document.parse_lines(b"\n".join(lines))
    ending = document.parse_closing(b"\n" + closing)

    assert document.from_parts({**fields, **ending, "messages": []}, ID).model_copy(
        update={"messages": tuple(messages)}
    ) == document.decode(document.encode(stored), ID)


@pytest.mark.parametrize("text", [b"", b"{", b"[1", b'{"id":"x","messages":[', b'{"messages":[{"role":"user"}'])
def test_no_other_line_is_taken_for_an_opening(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        document.parse_opening(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n]}",
        b'\n],"updated_at":"2025',
        b'\n{"role":"user"}',
        b'\n],"title":"x"}',
        b'\n],"updated_at":"2025"}',
        b'\n],"updated_at":5}',
    ],
)
def test_no_other_text_is_taken_for_a_closing(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        document.parse_closing(text)


@pytest.mark.parametrize(
    ("given_text", "kept"), [("a\ud800b", "a\ufffdb"), ("\ud83c\udf38", "🌸"), ("\udf38\ud83c", "\ufffd\ufffd")]
)
def test_half_a_surrogate_pair_does_not_lose_the_message(given_text: str, kept: str) -> None:
    line = document.line(said(given_text, note={"deep": [given_text]}))
    [read] = document.parse_lines(line)

    assert read.content == kept
    assert read.model_extra == {"note": {"deep": [kept]}}


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("levels", [1, 100, 189])
def test_what_can_be_written_can_be_read(levels: int) -> None:
    stored = conversation("deep", y=nested(levels))
    stored = stored.model_copy(update={"messages": (said("deep", x=nested(levels)),)})

    assert document.decode(document.encode(stored), ID) == stored


@pytest.mark.parametrize("levels", [191, 210, 254, 300, 5000])
def test_nesting_that_could_not_be_read_again_is_refused(levels: int) -> None:
    with pytest.raises(InvalidRequest, match=r"nested|JSON"):
        document.line(said("deep", x=nested(levels)))


def test_no_number_makes_the_document_invalid() -> None:
    stored = conversation("hi", odds=float("nan"))
    read = json.loads(document.encode(stored), parse_constant=pytest.fail)

    assert read["odds"] is None


LEGACY_MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Hello!", "timestamp": "2024-05-01T10:00:00"},
    {"content": "Hi there! 🌸", "timestamp": "2024-05-01T10:00:05.250000", "role": "assistant", "mood": "happy"},
]
LEGACY: dict[str, Any] = {
    "messages": LEGACY_MESSAGES,
    "user_id": "4d3b1f7e-8d57-4a4b-9f0e-1c9a33c6a001",
    "updated_at": "2024-05-01T10:00:05.250000",
    "id": str(ID),
    "created_at": "2024-05-01T09:59:59",
    "character_id": "miku",
    "mood": {"joy": 0.5},
}


@pytest.mark.parametrize("indent", [None, 2, 4, "\t"])
def test_files_of_the_original_service_are_read(indent: int | str | None) -> None:
    read = document.decode(json.dumps(LEGACY, indent=indent).encode(), ID)

    assert [message.content for message in read.messages] == ["Hello!", "Hi there! 🌸"]
    assert read.messages[1].timestamp == datetime(2024, 5, 1, 10, 0, 5, 250000, tzinfo=UTC)
    assert read.character_id == "miku"
    assert read.model_extra == {"mood": {"joy": 0.5}}
    assert read.messages[1].model_extra == {"mood": "happy"}


def test_ids_given_at_adoption_are_the_same_at_every_reading() -> None:
    data = json.dumps(LEGACY).encode()
    first = document.decode(data, ID)

    assert document.decode(data, ID) == first
    assert document.decode(document.encode(first), ID) == first
    assert len({message.id for message in first.messages}) == 2


def test_missing_times_are_taken_from_what_there_is() -> None:
    read = document.decode(json.dumps({"messages": LEGACY_MESSAGES}).encode(), ID)
    without_any = document.decode(b'{"messages": [{"role": "user", "content": "hi"}]}', ID)

    assert (read.created_at, read.updated_at) == tuple(message.timestamp for message in read.messages)
    assert without_any.messages[0].timestamp == without_any.created_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_other_services_status_is_kept_and_our_word_not_believed() -> None:
    archived = document.decode(json.dumps({**LEGACY, "status": "archived"}).encode(), ID)
    damaged = document.decode(json.dumps({**LEGACY, "status": "damaged"}).encode(), ID)

    assert document.decode(document.encode(archived), ID).status == "archived"
    assert damaged.status is None


def test_a_lone_surrogate_escape_of_the_original_service_is_read() -> None:
    data = json.dumps({**LEGACY, "title": "\ud83c"}).encode()

    assert document.decode(data, ID).model_extra == {"title": "\ufffd", "mood": {"joy": 0.5}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        b"[]",
        b"{}",
        b"null",
        b'{"messages": {}}',
        b'{"messages": ["hi"]}',
        b'{"messages": [{"content": "nobody said it"}]}',
        b"\xef\xbb\xbf" + json.dumps(LEGACY).encode(),
        json.dumps(LEGACY).encode()[:-1],
        json.dumps(LEGACY).encode() + b"{}",
        json.dumps({**LEGACY, "id": str(UUID(int=1))}).encode(),
        b'{"messages": ' + b"[" * 5000,
        b'{"messages": "\\ud83c' + b"[" * 5000,
    ],
)
def test_what_is_no_conversation_is_damaged(data: bytes) -> None:
    with pytest.raises(ConversationDamaged, match=str(ID)):
        document.decode(data, ID)


def test_no_text_of_a_message_stands_in_an_error() -> None:
    data = json.dumps({**LEGACY, "messages": [{"role": 5, "content": "my secret"}]}).encode()

    with pytest.raises(ConversationDamaged) as caught:
        document.decode(data, ID)
    assert "secret" not in str(caught.value)


@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_messages_before_a_cut_are_salvaged(contents: list[str], data: st.DataObject) -> None:
    stored = conversation(*contents)
    whole = document.encode(stored)
    first_end = whole.index(b"\n", whole.index(b"\n") + 1)
    cut = data.draw(st.integers(first_end, len(whole) - 1))

    read = document.salvage(whole[:cut], ID)

    assert read.status == "damaged"
    assert read.messages == stored.messages[: len(read.messages)]
    assert len(read.messages) >= whole[:cut].count(b"\n") - 1


@pytest.mark.parametrize("junk", [b"\0", b"\xff\xfe", b"}", b'{"', b"\n\n["])
def test_messages_before_junk_are_salvaged(junk: bytes) -> None:
    stored = conversation("one", "two", "three")
    whole = document.encode(stored)
    place = whole.rindex(b"\n", 0, whole.rindex(b"\n"))

    assert document.salvage(whole[:place] + junk + whole[place:], ID).messages == stored.messages[:2]


def test_a_byte_order_mark_does_not_hide_the_messages() -> None:
    read = document.salvage(b"\xef\xbb\xbf" + json.dumps(LEGACY).encode(), ID)

    assert len(read.messages) == 2
    assert read.status == "damaged"


@pytest.mark.parametrize("data", [b"", b"\0" * 600, b"[1, 2", b'{"id": "x", "mess', b"<html>", b"[" * 5000])
def test_nothing_is_made_of_nothing(data: bytes) -> None:
    with pytest.raises(ConversationDamaged):
        document.salvage(data, ID)


def test_fields_are_set_and_removed() -> None:
    fields = document.parse_closing(document.closing(conversation("hi", title="old", mood="calm")))

    changed = document.changed(fields, {"title": "new", "mood": None, "head": str(new_id()), "absent": None})

    assert changed.keys() == {"updated_at", "title", "head"}
    assert changed["title"] == "new"


@pytest.mark.parametrize(
    "changes", [{"id": "x"}, {"messages": []}, {"updated_at": "x"}, {"user_id": "x"}, {"status": "x"}, {"head": 5}]
)
def test_fields_that_are_not_to_be_set_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(changes))):
        document.changed({"updated_at": "2025-06-01T12:00:00Z"}, changes)


def test_no_head_is_not_written() -> None:
    assert b"head" not in document.closing(conversation("hi", head=None))


def test_times_keep_their_microseconds() -> None:
    late = NOON + timedelta(microseconds=1)
    stored = conversation("hi").model_copy(update={"updated_at": late})

    assert document.decode(document.encode(stored), ID).updated_at == late
