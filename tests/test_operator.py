"""An operator's commands on the data folder of a server that runs, and on mirrors."""

import json
import re
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.idol import idol, idol_json, idol_process, install_example
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.talk import say


async def test_new_messages_are_followed_while_a_server_writes_them(server: Server) -> None:
    first = await say("rest", server, "Hello")
    with idol_process(server.folder, "conversations", "tail", first.conversation_id, "--last", "1", "--json") as tail:
        assert tail.stdout
        lines = [json.loads(tail.stdout.readline())]  # it listens from here on
        await say("rest", server, "Sing!", conversation_id=first.conversation_id)
        lines += [json.loads(tail.stdout.readline()) for _ in range(2)]
        tail.send_signal(signal.SIGINT)
        status = tail.wait()

    assert [(line["position"], line["message"]["role"]) for line in lines] == [
        (1, "assistant"), (2, "user"), (3, "assistant"),
    ]  # fmt: skip
    assert lines[1]["message"]["content"] == "Sing!"
    assert status == 130


async def test_a_server_notices_what_is_deleted_and_brought_back_under_it(
    server: Server, mock_openrouter: Mock
) -> None:
    heard = await say("rest", server, "I am Ann", conversation_id=str(uuid4()))
    where = {"conversation_id": heard.conversation_id}
    assert idol(server.folder, "conversations", "export", heard.conversation_id, "-o", "ann.json").returncode == 0
    deleted = idol_json(server.folder, "conversations", "delete", heard.conversation_id, "--yes")
    async with server.client() as client:
        gone = (await client.get(f"/conversation/{heard.conversation_id}")).status_code
    await say("rest", server, "Who am I?", **where)
    anew = [message["content"] for message in mock_openrouter.bodies()[-1]["messages"][1:]]
    await say("rest", server, "Really?", **where)
    back = idol_json(server.folder, "conversations", "import", "ann.json", "--on-conflict", "overwrite")
    await say("rest", server, "And now?", **where)
    restored = [message["content"] for message in mock_openrouter.bodies()[-1]["messages"][1:]]

    assert (deleted["deleted"], gone, back["overwritten"]) == ([heard.conversation_id], 404, 1)
    assert anew == ["Who am I?"]
    assert restored == ["I am Ann", heard.text, "And now?"]


async def test_what_a_server_holds_goes_out_whole_while_it_writes(server: Server) -> None:
    ids = {(await say("rest", server, f"Hello {number}")).conversation_id for number in range(3)}
    written = idol_json(server.folder, "conversations", "export", "-o", "all.jsonl")
    documents = [json.loads(line) for line in (server.folder / "all.jsonl").read_text().splitlines()]

    assert (written["damaged"], written["missing"]) == ([], [])
    assert ids <= {one["id"] for one in documents}


def test_a_user_is_erased_from_mirrors_too(tmp_path: Path) -> None:
    user, other = str(uuid4()), str(uuid4())
    env = {"PYTHONPATH": install_example(tmp_path, "storage-sqlite")}
    for owner, storages in ((user, ("local", "sqlite")), (user, ("sqlite",)), (other, ("local", "sqlite"))):
        (tmp_path / "one.json").write_text(json.dumps(conversation(owner)))
        for storage in storages:
            done = idol(
                tmp_path, "conversations", "import", "one.json", environment={**env, "IDOLCHAT_STORAGE": storage}
            )
            assert done.returncode == 0, done.stderr
    both = {**env, "IDOLCHAT_STORAGE": "local,sqlite"}
    receipt = idol_json(tmp_path, "users", "erase", user, "--yes", environment=both)
    left = {
        storage: idol_json(tmp_path, "conversations", "list", environment={**env, "IDOLCHAT_STORAGE": storage})["data"]
        for storage in ("local", "sqlite")
    }

    assert (len(receipt["conversations"]), receipt["storages"], receipt["left"]) == (2, ["local", "sqlite"], [])
    assert {name: [one["user_id"] for one in listed] for name, listed in left.items()} == {
        "local": [other],
        "sqlite": [other],
    }


def conversation(owner: str) -> dict[str, object]:
    message = {"id": str(uuid4()), "role": "user", "content": "Hi", "timestamp": "2026-01-01T10:00:00Z"}
    times = {"created_at": "2026-01-01T10:00:00Z", "updated_at": "2026-01-01T10:00:00Z"}
    return {"id": str(uuid4()), "user_id": owner, "messages": [message], **times}


@pytest.mark.files("the data folder is the storage")
async def test_all_of_a_data_folder_that_is_named_from_the_home_folder_is_there(
    start_server: StartServer, mock_openrouter: Mock, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    server = start_server(
        HOME=str(home),
        IDOLCHAT_DATA_DIR="~/idol",
        OPENROUTER_API_KEY="sk-or-v1-canary",
        OPENROUTER_BASE_URL=mock_openrouter.base_url,
        IDOLCHAT_MODEL="mock/echo",
    )
    heard = await say("rest", server, "Hello")

    assert list((home / "idol").glob(f"conversations/**/{heard.conversation_id}.json"))
    assert (home / "idol" / "memory" / "index.sqlite").exists()
    assert [file.name for file in server.folder.iterdir()] == ["server.log"]


def test_every_documented_setting_is_shown(tmp_path: Path) -> None:
    documented = re.findall(r"^\| `(\w+)`", Path("docs/configuration.md").read_text(), re.MULTILINE)
    shown = {setting["variable"] for setting in idol_json(tmp_path, "config", "show")}

    assert len(documented) > 100
    assert [variable for variable in documented if variable not in shown] == []
