"""What pages of the documentation tell to run does what they say."""

import importlib.util
import json
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from idolchat_core import Conversation, Message, PackageSettings, read_settings
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_supabase.keys import SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.pages import ROOT, Block, blocks, pages, run
from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.talk import say

ANN = "5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e"
ASSIGNMENT = re.compile(r"\b((?:IDOLCHAT|OPENROUTER|SUPABASE)_[A-Z0-9_]+|SYSTEM_PROMPT)=('[^']*'|\S*)")


def texts(page: str, language: str = "sh") -> list[str]:
    return [block.text for block in blocks(page, language)]


@pytest.mark.files("the page copies the data folder")
async def test_a_backup_is_made_restored_and_tried(server: Server, tmp_path: Path) -> None:
    heard = await say("rest", server, "Keep this.")
    backup, piped, restore, trial = texts("docs/backup.md")
    run(
        server,
        backup,
        piped.replace("ssh nas", "sh -c"),
        restore.replace("/srv/idolchat/new", str(tmp_path / "new")),
        trial,
    )

    assert list((tmp_path / "new").rglob(f"{heard.conversation_id}.json"))


@pytest.mark.files("the page copies the data folder")
def test_the_timer_of_backups_writes_a_file_of_the_day(server: Server, tmp_path: Path) -> None:
    (line,) = texts("docs/backup.md", "cron")
    command = line.split(maxsplit=5)[5].replace(r"\%", "%")
    run(server, command.replace("/srv/idolchat", str(server.folder)).replace("/mnt/backups", str(tmp_path)))

    with tarfile.open(next(tmp_path.glob("20??-??-??.tar.gz"))) as archive:
        assert "SHA256SUMS" in archive.getnames()


@pytest.fixture
def closed(start_server: StartServer, mock_openrouter: Mock) -> Server:
    """Run a server that asks for keys."""
    return start_server(
        OPENROUTER_API_KEY="sk-or-v1-test", OPENROUTER_BASE_URL=mock_openrouter.base_url, IDOLCHAT_AUTH="api-key"
    )


@pytest.mark.parametrize("page", ["docs/how-to/keys-and-users.md", "docs/security.md"])
def test_keys_are_made_listed_and_revoked(closed: Server, page: str) -> None:
    commands = [line for line in texts(page)[0].splitlines() if line.startswith("idol keys")]
    *make, revoke = commands
    run(closed, *make)
    listed = json.loads(run(closed, "idol keys list --json"))
    run(closed, revoke.replace("3q5kx7mabcde", listed[0]["id"]))

    assert json.loads(run(closed, "idol keys list --json"))[0]["state"] == "revoked"


async def test_a_user_is_exported_and_erased(server: Server) -> None:
    heard = await say("rest", server, "I am Ann.", user_id=ANN)
    _, export, erase = texts("docs/how-to/keys-and-users.md")
    run(server, export)
    archive = zipfile.ZipFile(server.folder / "ann.zip").namelist()
    tried, erased = erase.splitlines()
    run(server, tried)
    still_there = server.stores(heard.conversation_id)
    run(server, f"{erased} --yes")

    assert any(heard.conversation_id in name for name in archive)
    assert still_there
    assert not server.stores(heard.conversation_id)


async def test_spending_is_shown_stopped_and_resumed(start_server: StartServer, mock_openrouter: Mock) -> None:
    server = start_server(OPENROUTER_API_KEY="sk-or-v1-test", OPENROUTER_BASE_URL=mock_openrouter.base_url)
    await say("rest", server, "What does this cost?", model="mock/echo")
    (script,) = texts("docs/spending.md")
    said = run(server, script)

    assert said.splitlines()[-2].startswith("Spending is stopped since")
    assert said.splitlines()[-1] == "Spending goes on"


@pytest.mark.files("files with a mirror")
def test_a_mirror_is_compared_and_brings_back(
    start_server: StartServer, mock_openrouter: Mock, mock_supabase: MockSupabase
) -> None:
    server = start_server(
        OPENROUTER_API_KEY="sk-or-v1-test", OPENROUTER_BASE_URL=mock_openrouter.base_url, NO_PROXY="127.0.0.1",
        IDOLCHAT_STORAGE="local,supabase", SUPABASE_URL=mock_supabase.url, SUPABASE_SERVICE_ROLE_KEY=SECRET,
    )  # fmt: skip

    assert run(server, *texts("docs/mirror.md"))


def test_the_table_of_lists_is_made_by_the_sql_that_is_printed(server: Server) -> None:
    (script,) = texts("docs/how-to/supabase.md")
    said = run(server, script.replace('psql "$DATABASE_URL"', "cat"))

    assert "create table" in said.lower()


def test_front_ends_are_told_what_to_enter_and_find_the_characters(server: Server, pytestconfig: pytest.Config) -> None:
    connect, elsewhere, ask = texts("docs/how-to/front-ends.md")
    # A command finds the server by its data folder; beside a database the settings tell the port.
    is_found = pytestconfig.getoption("--storage") == "local"
    port = {} if is_found else {"IDOLCHAT_PORT": server.url.rpartition(":")[2]}
    said = run(server, connect, *texts("docs/v1.md"), **port)
    with_key = run(server, elsewhere, IDOLCHAT_AUTH="api-key")
    models, reply = run(server, ask.replace("\ncurl", "\necho\ncurl")).splitlines()[-2:]

    assert said.count(f"{server.url}/v1") == 4
    assert "http://host.docker.internal:8000/v1" in with_key
    assert "idol_" in with_key
    assert "lumi" in [model["id"] for model in json.loads(models)["data"]]
    assert json.loads(reply)["choices"][0]["message"]["content"]


@pytest.fixture
def card(server: Server) -> None:
    """Write Mika's card, as a PNG, into the server's folder."""
    run(server, "rm -f mika.png mika.charx; idol characters export lumi -o mika.png")


async def test_a_turn_is_cancelled_as_the_readme_says(server: Server) -> None:
    heard = await say("rest", server, "Hello!")
    (block,) = [block.text for block in blocks("README.md") if "/cancel" in block.text]
    said = run(server, block.replace("curl", "curl --silent --fail"), turn_id=heard.turn_id)

    assert json.loads(said)["state"] == "completed"  # as a turn that has ended stays


def test_the_documents_of_the_page_have_the_fields_of_the_code() -> None:
    whole, deleted = texts("docs/conversations.md", "json")
    document = json.loads(whole)

    assert document.keys() <= Conversation.model_fields.keys()
    for message in (*document["messages"], json.loads(deleted)):
        assert message.keys() <= Message.model_fields.keys()
    assert list(document["messages"][1]["usage"]) == ["input_tokens", "output_tokens"]


@pytest.mark.usefixtures("card")
def test_a_card_is_imported_and_greets(server: Server) -> None:
    imported, asked = texts("docs/characters.md")[0].split("\n", 1)
    slug = json.loads(run(server, f"{imported} --json"))[0]["slug"]
    begun = json.loads(run(server, asked.replace('"mika"', f'"{slug}"').replace("curl", "curl --silent")))
    again = run(
        server, texts("docs/conversations.md")[0].replace('"mika"', f'"{slug}"').replace("curl", "curl --silent")
    )

    assert begun["messages"][0]["origin"] == "greeting"
    assert json.loads(again)["messages"][0]["origin"] == "greeting"


@pytest.mark.usefixtures("card")
def test_a_card_is_read_and_written_by_python(server: Server) -> None:
    (code,) = texts("docs/character-cards.md", "python")
    (server.folder / "cards.py").write_text(code)
    run(server, "python cards.py")

    assert (server.folder / "mika.charx").stat().st_size > 0


def settings_classes() -> dict[str, type[PackageSettings]]:
    """Return the classes that the page of settings is made from."""
    spec = importlib.util.spec_from_file_location("configuration", ROOT / "docs" / "configuration.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    classes: dict[str, type[PackageSettings]] = module.PACKAGES
    return classes


SETTING_BLOCKS = [block for page in pages() for block in blocks(page) if ASSIGNMENT.search(block.text)]


@pytest.mark.parametrize("block", SETTING_BLOCKS, ids=lambda block: f"{block.page}-{block.begins[:40]}")
def test_settings_are_written_as_they_are_read(block: Block, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    written = {name: value.strip("'\"") for name, value in ASSIGNMENT.findall(block.text)}
    known = set[str]()
    for name, value in ({"SUPABASE_URL": "https://abcdefghijklmnop.supabase.co"} | written).items():
        monkeypatch.setenv(name, value)
    for settings in settings_classes().values():
        known |= {variable for name in settings.model_fields for variable in settings.variables_of(name)}
        read_settings(settings)

    assert written.keys() <= known
