"""Export and import what is kept: what goes out comes in again."""

from __future__ import annotations

import json
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from parts.kept import ANN, EVERYTHING, MIKA, SONG, TALK

from idolchat_cli.commands.conversations.export import Exported
from idolchat_cli.commands.conversations.import_ import Imported
from idolchat_core.storage import document

if TYPE_CHECKING:
    from conftest import Installation


def counts(result: Imported) -> tuple[int, int, int, int, int]:
    """Return what became of what was found."""
    return result.created, result.extended, result.overwritten, result.unchanged, result.conflicts


@pytest.mark.parametrize("target", ["all.jsonl", "all.tar", "all.tar.gz", "all.zip", "folder/"])
def test_what_is_exported_can_be_imported_and_lost_nothing(kept: Installation, target: str) -> None:
    options = ["--format", "json"] if target == "folder/" else []
    written = kept.answer(Exported, "conversations", "export", "-o", target, *options)
    before = kept.stored()
    kept.run("conversations", "delete", *(str(one.id) for one in EVERYTHING), "--yes")
    tried = kept.answer(Imported, "conversations", "import", target, "--dry-run")
    assert kept.stored() == []
    first, again = (kept.answer(Imported, "conversations", "import", target) for _ in range(2))

    assert (written.conversations, written.damaged, written.missing) == (3, [], [])
    assert written.size_bytes == sum(len(document.encode(one)) for one in EVERYTHING)
    assert [counts(one) for one in (tried, first, again)] == [(3, 0, 0, 0, 0), (3, 0, 0, 0, 0), (0, 0, 0, 3, 0)]
    assert kept.stored() == before


def test_a_dash_is_standard_output_and_input(kept: Installation) -> None:
    kept.shell("idol conversations export -o - --format zip | tee all.zip | idol conversations import -")
    imported = kept.answer(Imported, "conversations", "import", "all.zip")

    assert counts(imported) == (0, 0, 0, 3, 0)
    assert not (kept.folder / "-").exists()


def test_archives_are_what_other_programs_read(kept: Installation) -> None:
    for name in ("all.tar.gz", "all.zip"):
        kept.run("conversations", "export", "--user", str(ANN), "-o", name)
    with tarfile.open(kept.folder / "all.tar.gz") as tar, zipfile.ZipFile(kept.folder / "all.zip") as archive:
        members = tar.getnames()
        assert members == archive.namelist()
        song = tar.extractfile(f"conversations/{SONG.id}.json")
        assert song
        assert song.read() == archive.read(f"conversations/{SONG.id}.json") == document.encode(SONG)
        about = json.loads(archive.read(members[0]))

    assert members[0] == "idolchat-export.json"
    assert (len(members), about["what"]) == (3, "idolchat export")


def test_one_goes_to_standard_output_as_it_is_stored_or_to_read(kept: Installation) -> None:
    exact = kept.run("conversations", "export", str(SONG.id))
    lines = kept.run("conversations", "export", str(SONG.id), "--format", "jsonl")
    text = kept.run("conversations", "export", str(SONG.id), "--format", "markdown")

    assert (exact.stdout, exact.stderr) == (document.encode(SONG).decode() + "\n", "")
    assert json.loads(lines.stdout) == json.loads(exact.stdout)
    assert lines.stdout.count("\n") == 1
    assert text.stdout.startswith(f"# Conversation {SONG.id}\n\n- user: {ANN}\n- character: {MIKA}\n")
    assert "**assistant** (2026-05-31 12:03 UTC, cancelled)\n\nSakura, sakura...\n" in text.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "all.json"],
        ["-o", "there.zip"],
        ["--json"],
        ["-o", "-", "--json"],
        ["-o", "folder/", "--format", "zip"],
        [str(ANN), "--user", "x"],
    ],
)
def test_what_cannot_be_written_so_is_wrong_usage(kept: Installation, arguments: list[str]) -> None:
    (kept.folder / "there.zip").write_text("mine")
    done = kept.run("conversations", "export", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert (kept.folder / "there.zip").read_text() == "mine"


def test_one_that_is_missing_is_told_and_the_others_are_written(kept: Installation) -> None:
    written = kept.answer(
        Exported, "conversations", "export", str(UUID(int=9)), str(SONG.id), "-o", "some.jsonl", status=1
    )

    assert (written.conversations, written.missing) == (1, [UUID(int=9)])


def test_messages_that_were_added_since_are_added_and_nothing_else_is_changed(kept: Installation) -> None:
    longer = SONG.model_copy(update={"messages": (*SONG.messages, *TALK.messages), "updated_at": TALK.updated_at})
    other = TALK.model_copy(update={"messages": SONG.messages})
    text = b"\n".join(document.encode(one).replace(b"\n", b" ") for one in (longer, other, EVERYTHING[2]))
    (kept.folder / "newer.jsonl").write_bytes(text)
    first = kept.answer(Imported, "conversations", "import", "newer.jsonl", status=1)
    older = kept.answer(Imported, "conversations", "import", "newer.jsonl", "--on-conflict", "skip")
    assert (kept.folder / "stored" / f"{TALK.id}.json").read_bytes() == document.encode(TALK)
    over = kept.answer(Imported, "conversations", "import", "newer.jsonl", "--on-conflict", "overwrite")

    assert [counts(one) for one in (first, older, over)] == [(0, 1, 0, 1, 1), (0, 0, 0, 2, 1), (0, 0, 1, 2, 0)]
    assert [(one.source, one.reason) for one in first.not_taken] == [
        ("newer.jsonl, line 2", f"another conversation has its id, see --on-conflict: {TALK.id}")
    ]
    assert len(json.loads((kept.folder / "stored" / f"{SONG.id}.json").read_bytes())["messages"]) == 6
    assert (kept.folder / "stored" / f"{TALK.id}.json").read_bytes() == document.encode(other)


SWIPES = {"swipes": ["Yo", "Hi"], "swipe_id": 1}
SILLYTAVERN = [
    {"user_name": "Ann", "character_name": "Mika", "create_date": "2026-5-31 @12h 00m 00s 1ms", "chat_metadata": {}},
    {"name": "Mika", "is_user": False, "send_date": "May 31, 2026 12:01pm", "mes": "Hi", **SWIPES},
    {"name": "Ann", "is_user": True, "send_date": "2026-05-31T12:02:00.000Z", "mes": "Sing!"},
    {"name": "Note", "is_user": False, "is_system": True, "mes": "/help", "extra": {"type": "help"}},
    "no object",
    {"name": "Mika", "is_user": False, "send_date": 1780228980000, "mes": "La la", "extra": {"model": "m/1"}},
]  # fmt: skip


def test_chats_of_sillytavern_come_with_their_swipes(installation: Installation) -> None:
    chat = installation.folder / "Mika.jsonl"
    chat.write_text("\n".join([*map(json.dumps, SILLYTAVERN), "{cut"]))
    first = installation.answer(Imported, "conversations", "import", "Mika.jsonl", "--user", str(ANN), status=1)
    again = installation.answer(Imported, "conversations", "import", "Mika.jsonl", "--user", str(ANN), status=1)
    (stored,) = installation.stored()
    told = [(m["role"], m["content"], m["timestamp"], m.get("model"), m["speaker"]) for m in stored["messages"]]

    assert (counts(first), counts(again)) == ((1, 0, 0, 0, 0), (0, 0, 0, 1, 0))
    assert [one.source for one in first.not_taken] == ["Mika.jsonl, line 5", "Mika.jsonl, line 7"]
    assert [(one.what, one.count) for one in first.left_out] == [("note of the program", 1)]
    assert stored["user_id"] == str(ANN)
    assert stored["imported_from"] == {"program": "sillytavern", "user_name": "Ann", "character_name": "Mika"}
    assert told == [
        ("assistant", "Yo", "2026-05-31T12:01:00Z", None, "Mika"),
        ("assistant", "Hi", "2026-05-31T12:01:00Z", None, "Mika"),
        ("user", "Sing!", "2026-05-31T12:02:00Z", None, "Ann"),
        ("assistant", "La la", "2026-05-31T12:03:00Z", "m/1", "Mika"),
    ]
    assert [("parent_id" in message, message.get("parent_id")) for message in stored["messages"]] == [
        (False, None), (True, None), (False, None), (False, None),
    ]  # fmt: skip


def node(name: str, parent: str | None, *children: str, **message: Any) -> dict[str, Any]:
    """Make a node of ChatGPT's tree."""
    return {"id": name, "parent": parent, "children": list(children), "message": message or None}


def says(role: str, *parts: Any, kind: str = "text", **more: Any) -> dict[str, Any]:
    """Make the message of a node."""
    return {
        "author": {"role": role},
        "content": {"content_type": kind, "parts": list(parts)},
        "create_time": 1780228800.5,
        **more,
    }


IMAGE = {"content_type": "image_asset_pointer"}
CHATGPT = {
    "id": "6655-abc",
    "title": "A song",
    "create_time": 1780228800.5,
    "update_time": 1780228900.0,
    "current_node": "c",
    "mapping": {
        "root": node("root", None, "sys"),
        "sys": node("sys", "root", "a", **says("system", "")),
        "a": node("a", "sys", "c", "b", **says("user", "Sing!")),
        "b": node("b", "a", **says("assistant", "No.", metadata={"model_slug": "gpt-5"})),
        "c": node("c", "a", "d", **says("assistant", "La ", IMAGE, "la", kind="multimodal_text")),
        "d": node("d", "c", **says("assistant", "hm", kind="thoughts")),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ["conversations.json", "export.zip"])
def test_conversations_of_chatgpt_come_with_their_branches(installation: Installation, name: str) -> None:
    text = json.dumps([CHATGPT, {"title": "nothing"}])
    if name == "export.zip":
        with zipfile.ZipFile(installation.folder / name, "w") as archive:
            archive.writestr("conversations.json", text)
            archive.writestr("dalle/image.webp", b"RIFF")
    else:
        (installation.folder / name).write_text(text)
    first, again = (installation.answer(Imported, "conversations", "import", name, status=1) for _ in range(2))
    (stored,) = installation.stored()
    left_out = {one.what: one.count for one in first.left_out}

    assert (counts(first), counts(again)) == ((1, 0, 0, 0, 0), (0, 0, 0, 1, 0))
    assert [one.reason for one in first.not_taken] == ["it is no conversation in a form that is known"]
    assert left_out.pop("attached image, of which only the name is in the export") == 1
    assert [*left_out] == ["file whose name does not end with .json or .jsonl"] * (name == "export.zip")
    assert (stored["title"], stored["imported_from"]) == ("A song", {"program": "chatgpt", "id": "6655-abc"})
    assert [(m["role"], m["content"], m.get("model")) for m in stored["messages"]] == [
        ("user", "Sing!", None),
        ("assistant", "No.", "gpt-5"),
        ("assistant", "La \nla", None),
    ]
    assert stored["messages"][2]["parent_id"] == stored["messages"][0]["id"]


def test_files_of_the_original_service_are_taken(installation: Installation) -> None:
    folder = installation.folder / "old"
    folder.mkdir()
    old = {"messages": [{"role": "user", "content": "Hi", "timestamp": "2024-05-01T10:00:00.1"}], "mood": "gay"}
    (folder / f"{SONG.id}.json").write_text(json.dumps(old, indent=2))
    (folder / "broken.json").write_text('{"messages": [')
    (folder / "notes.txt").write_text("mine")
    result = installation.answer(Imported, "conversations", "import", "old", status=1)
    (stored,) = installation.stored()

    assert counts(result) == (1, 0, 0, 0, 0)
    assert [one.source for one in result.not_taken] == ["old/broken.json"]
    assert [one.what for one in result.left_out] == ["file whose name does not end with .json or .jsonl"]
    assert (stored["id"], stored["mood"], stored["created_at"]) == (str(SONG.id), "gay", "2024-05-01T10:00:00.100000Z")


def test_people_are_told_what_was_not_taken(installation: Installation) -> None:
    (installation.folder / "some.jsonl").write_bytes(document.encode(SONG).replace(b"\n", b" ") + b'\n{"no": 1}\n')
    done = installation.run("conversations", "import", "some.jsonl")
    piped = installation.run("conversations", "import", "-", stdin=(installation.folder / "some.jsonl").read_bytes())
    absent = installation.run("conversations", "import", "absent.json")

    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            "some.jsonl, line 2: it is no conversation in a form that is known",
            "Found 1 conversation: 1 created",
        ],
    )
    assert piped.stderr.splitlines()[-1] == "Found 1 conversation: 1 unchanged"
    assert (absent.returncode, "there is no absent.json" in absent.stderr) == (2, True)
