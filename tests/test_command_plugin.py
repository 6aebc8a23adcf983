"""The example of a plugin that adds a command does so, in an ``idol`` beside a store with conversations."""

from pathlib import Path

from tests.support.idol import idol, idol_json, install_example

DOCUMENT = """\
{"id":"0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55","created_at":"2026-01-01T10:00:00Z","user_id":null,"character_id":null,"messages":[
{"id":"1","role":"user","content":"Sing me a song.","timestamp":"2026-01-01T10:00:00Z"},
{"id":"2","role":"assistant","content":"La la la, la la.","timestamp":"2026-01-01T10:00:01Z"}
],"updated_at":"2026-01-01T10:00:01Z"}"""


def test_the_example_adds_a_command(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(DOCUMENT)
    idol_json(tmp_path, "conversations", "import", "one.json")
    env = {"PYTHONPATH": install_example(tmp_path, "command-words")}
    listed = idol(tmp_path, "--help", environment=env).stdout

    assert ["words", "Count the words of each conversation."] in [
        line.split(maxsplit=1) for line in listed.splitlines()
    ]
    assert idol_json(tmp_path, "words", environment=env) == [
        {"id": "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55", "asked": 4, "answered": 5}
    ]
