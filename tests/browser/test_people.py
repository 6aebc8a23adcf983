"""Characters, personas and what is remembered."""

import base64
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.desk import Desk
from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

CARD = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Mika",
        "description": "An idol.",
        "creator_notes": "Sings at night.",
        "first_mes": "Hi, {{user}}! I am {{char}}.",
        "alternate_greetings": ["You again?"],
    },
}


@pytest.fixture(scope="module")
def served(start_shared_server: StartServer, mock_openrouter_process: Mock) -> Server:
    return start_shared_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL="mock/n64-d15",
        IDOLCHAT_MEMORY_ANONYMOUS="true",
    )


@pytest.fixture
def card(tmp_path: Path) -> Path:
    file = tmp_path / "mika.json"
    file.write_text(json.dumps(CARD))
    return file


def drop(desk: Desk, file: Path) -> None:
    """Let a file fall onto the page, as a person does."""
    content = base64.b64encode(file.read_bytes()).decode()
    transfer = desk.page.evaluate_handle(
        """([content, name]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [content, file.name],
    )
    for kind in ("dragenter", "dragover", "drop"):
        desk.page.dispatch_event("main", kind, {"dataTransfer": transfer})


def test_a_card_that_is_dropped_brings_its_character(desk: Desk, card: Path) -> None:
    drop(desk, card)
    expect(desk.page.get_by_role("heading", name="Mika")).to_be_visible()
    expect(desk.page.get_by_role("main")).to_contain_text("Sings at night.")

    desk.button("Let Mika begin").click()

    expect(desk.replies.first).to_contain_text("I am Mika.")
    desk.send("Hello!").answered()
    expect(desk.replies).to_have_count(2)


def test_a_file_that_is_no_card_is_refused_with_a_reason(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    file.write_text("{}")
    drop(desk, file)

    expect(desk.page.get_by_role("status").filter(has_text="could not be read")).to_be_visible()


def test_a_character_is_chosen_downloaded_and_deleted(desk: Desk, card: Path) -> None:
    drop(desk, card)
    expect(desk.page.get_by_role("heading", name="Mika")).to_be_visible()
    desk.open("#/characters")
    mine = desk.page.get_by_role("listitem").filter(has=desk.page.locator("a.card", has_text="Mika")).last
    with desk.page.expect_download() as download:
        mine.get_by_role("button", name="Download the card").click()
    assert json.loads(Path(download.value.path()).read_text()) == CARD

    count = desk.page.locator("a.card", has_text="Mika").count()
    mine.get_by_role("button", name="Delete Mika").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Delete Mika").click()

    expect(desk.page.locator("a.card", has_text="Mika")).to_have_count(count - 1)


def test_somebody_plays_a_persona(desk: Desk, card: Path) -> None:
    desk.button("Who you are").click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Aoi")
    dialog.get_by_label("About you").fill("A fan from Osaka.")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("radio", name="Aoi")).to_be_checked()
    dialog.get_by_role("button", name="Close").click()
    drop(desk, card)
    desk.button("Let Mika begin").click()

    expect(desk.replies.first).to_contain_text("Hi, Aoi!")
    expect(desk.page.get_by_role("combobox", name="Who you are")).to_be_visible()


def test_what_is_remembered_is_seen_corrected_and_forgotten(desk: Desk) -> None:
    desk.page.get_by_role("link", name="What is remembered").click()
    desk.page.get_by_role("textbox", name="Remember something").fill("Likes melon bread.")
    desk.button("Save").click()
    note = desk.page.get_by_role("article")
    expect(note).to_contain_text("Likes melon bread.")

    note.get_by_role("button", name="Correct").click()
    desk.page.get_by_role("textbox", name="Edit").fill("Likes curry bread.")
    desk.page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(note).to_contain_text("curry bread")

    note.get_by_role("button", name="Forget").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(desk.page.get_by_text("Nothing is remembered yet.")).to_be_visible()


def test_what_is_not_installed_is_not_shown(
    open_desk: Open, start_server: StartServer, mock_openrouter_process: Mock
) -> None:
    alone = start_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL="mock/n8",
        IDOLCHAT_PLUGINS="storage-local,llm-openrouter,web",
    )
    desk = open_desk(alone.url).open()
    desk.send("Hello!").answered()

    for name in ("Characters", "What is remembered"):
        expect(desk.page.get_by_role("link", name=name)).to_have_count(0)
    expect(desk.button("Who you are")).to_have_count(0)
