"""Characters, personas and what is remembered."""

import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import HELD, QUICK, Open
from tests.browser.desk import PATIENCE_MS, Desk
from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
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
        IDOLCHAT_MODEL=QUICK,
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


def call(served: Server, method: str, path: str, **how: Any) -> Any:
    """Do what another program does meanwhile."""
    answer = httpx.request(method, f"{served.url}{path}", timeout=60, **how)
    answer.raise_for_status()
    return answer.json()


def field(desk: Desk, name: str) -> Locator:
    return desk.page.locator("form.character-form").get_by_label(name, exact=True)


class TestForm:
    """A character is written, and edited, by hand."""

    @pytest.fixture
    def rin(self, served: Server) -> dict[str, Any]:
        fields = {"name": "Rin", "description": "A drummer.", "scenario": "Backstage.", "first_mes": "Yo."}
        return dict(call(served, "POST", "/characters", json=fields))

    def test_a_character_is_made_and_talked_to(self, desk: Desk, served: Server, tmp_path: Path) -> None:
        picture = tmp_path / "dot.png"
        picture.write_bytes(DOT)
        desk.page.get_by_role("link", name="Characters").click()
        desk.page.get_by_role("link", name="New character").click()
        field(desk, "Name").fill("Nao")
        field(desk, "Description").fill("Sings in the rain.")
        field(desk, "First message").fill("Hello from {{char}}!")
        desk.button("Add a greeting").click()
        desk.page.get_by_label("Greeting 2", exact=True).fill("Back again?")
        field(desk, "Tags").fill("idol, rain")
        desk.page.locator("form.character-form input[type=file]").set_input_files(picture)
        expect(desk.page.get_by_role("img", name="Picture")).to_be_visible()
        desk.button("Save").click()

        expect(desk.page.get_by_role("heading", name="Nao")).to_be_visible()
        expect(desk.page.locator(".avatar.large img")).to_be_visible()
        expect(desk.page).to_have_url(re.compile("#/with/"))
        made = call(served, "GET", f"/characters/{desk.page.url.rpartition('/')[2]}")["character"]
        assert (made["tags"], made["alternate_greetings"]) == (["idol", "rain"], ["Back again?"])
        desk.button("Let Nao begin").click()
        expect(desk.replies.first).to_contain_text("Hello from Nao!")

    def test_an_edit_changes_that_field_and_no_other(self, desk: Desk, served: Server, rin: dict[str, Any]) -> None:
        desk.open(f"#/character/{rin['id']}")
        field(desk, "Personality").fill("Loud.")
        desk.button("Save").click()
        expect(desk.page.get_by_role("heading", name="Rin", exact=True)).to_be_visible()

        changed = call(served, "GET", f"/characters/{rin['id']}")
        assert (changed["version"], changed["character"]) == (2, {**rin["character"], "personality": "Loud."})

    def test_what_is_written_outlives_a_reload(self, desk: Desk, rin: dict[str, Any]) -> None:
        desk.open(f"#/character/{rin['id']}")
        field(desk, "Scenario").fill("On a roof.")
        desk.page.reload()

        expect(field(desk, "Scenario")).to_have_value("On a roof.")

    def test_what_both_have_changed_is_shown_and_chosen(self, desk: Desk, served: Server, rin: dict[str, Any]) -> None:
        desk.open(f"#/character/{rin['id']}")
        field(desk, "Description").fill("Mine.")
        theirs = {"description": "Theirs.", "scenario": "At sea.", "first_mes": "Ahoy."}
        call(served, "PATCH", f"/characters/{rin['id']}", json=theirs)
        field(desk, "First message").fill("My hello.")
        desk.button("Save").click()
        expect(desk.page.get_by_role("alert")).to_contain_text("Somebody has saved this character meanwhile")
        expect(desk.button("Save")).to_be_disabled()
        expect(field(desk, "Scenario")).to_have_value("At sea.")

        conflicts = desk.page.get_by_role("group", name="They wrote:")
        expect(conflicts).to_have_count(2)
        conflicts.filter(has_text="Theirs.").get_by_role("button", name="Keep mine").click()
        conflicts.filter(has_text="Ahoy.").get_by_role("button", name="Take theirs").click()
        desk.button("Save").click()

        expect(desk.page.get_by_role("heading", name="Rin", exact=True)).to_be_visible()
        saved = call(served, "GET", f"/characters/{rin['id']}")["character"]
        assert (saved["description"], saved["scenario"], saved["first_mes"]) == ("Mine.", "At sea.", "Ahoy.")

    def test_what_the_server_refuses_is_said_and_nothing_is_lost(self, desk: Desk, rin: dict[str, Any]) -> None:
        desk.open(f"#/character/{rin['id']}")
        field(desk, "Name").fill("   ")
        field(desk, "Scenario").fill("On a roof.")
        desk.button("Save").click()

        expect(desk.page.get_by_role("status").filter(has_text="write the character's name")).to_be_visible()
        expect(field(desk, "Scenario")).to_have_value("On a roof.")

    def test_axe_finds_nothing_in_the_form(self, desk: Desk, axe: str, rin: dict[str, Any]) -> None:
        desk.open(f"#/character/{rin['id']}")
        desk.button("Add a greeting").click()
        assert_accessible(desk, axe)
        desk.page.emulate_media(color_scheme="dark")
        desk.page.set_viewport_size({"width": 360, "height": 740})
        assert_accessible(desk, axe)
        desk.fits_the_window()


class TestRecall:
    """What lorebooks and memory gave to a reply, and why."""

    @pytest.fixture
    def umbrella(self, served: Server) -> str:
        entries = [
            {"keys": ["umbrella"], "content": "It is turquoise.", "name": "The umbrella", "enabled": True},
            {"keys": ["fern"], "content": "It is called Gus.", "name": "The fern", "enabled": True},
        ]
        book = {"entries": [{"extensions": {}, "insertion_order": n, **entry} for n, entry in enumerate(entries)]}
        made = call(served, "POST", "/characters", json={"name": "Umi", "character_book": book})
        return str(made["id"])

    def test_lore_tells_what_came_by_which_key_and_why_the_rest_did_not(self, desk: Desk, umbrella: str) -> None:
        desk.open(f"#/with/{umbrella}")
        desk.send("Where is my umbrella?").answered()
        desk.of_last_reply("Why this reply").click()
        desk.page.get_by_role("tab", name="Lore and memory").click()
        lore = desk.page.get_by_role("region", name="Lore")
        expect(lore.get_by_role("listitem")).to_have_count(1)
        expect(lore.get_by_role("listitem")).to_contain_text("The umbrella")
        expect(lore.get_by_role("listitem")).to_contain_text("named by “umbrella”")
        lore.get_by_role("button", name="Explain every entry").click()

        fern = lore.get_by_role("listitem").filter(has_text="The fern")
        expect(fern).to_contain_text("none of its keys was said")

    def test_memory_tells_what_was_recalled_with_its_score_and_what_was_not(
        self, desk: Desk, served: Server, umbrella: str, axe: str
    ) -> None:
        for said in ("My cat is called Momo and eats melon bread.", "I walked along the river yesterday."):
            desk.open(f"#/with/{umbrella}")
            desk.send(said).answered()
        asked = {"text": "What is my cat called?", "character_id": umbrella, "everything": True}
        give_up_at = time.monotonic() + PATIENCE_MS / 1000
        while "Momo" not in str(call(served, "POST", "/memory/search", json=asked)["data"]):  # indexed a moment later
            assert time.monotonic() < give_up_at
        is_late = True
        while is_late:  # a memory that keeps a turn waiting is left out
            assert time.monotonic() < give_up_at
            desk.open(f"#/with/{umbrella}")
            desk.send("What is my cat called?").answered()
            reply = json.loads(served.document(desk.conversation_id).read_text())["messages"][-1]
            is_late = "memory" in call(served, "GET", f"/turns/{reply['turn_id']}/prompt")["failures"]
        desk.of_last_reply("Why this reply").click()
        desk.page.get_by_role("tab", name="Lore and memory").click()
        memory = desk.page.get_by_role("region", name="Memory")
        recalled = memory.get_by_role("listitem").filter(has_text="cat").first
        expect(recalled).to_contain_text("score")
        memory.get_by_role("button", name="Show what was said").click()

        expect(recalled).to_contain_text("Momo")
        expect(memory.get_by_role("heading", name="Not recalled")).to_be_visible()
        assert_accessible(desk, axe)


def test_each_reply_has_the_name_of_who_speaks(open_desk: Open, served: Server, mock_openrouter: Mock) -> None:
    with httpx.Client(base_url=served.url) as client:
        made = client.post("/characters", json={"name": "Rin", "visibility": "public"}).json()
        group = {"character_ids": ["lumi", made["id"]], "next_speaker": "mention"}
        conversation = client.post("/conversations", json=group).json()
    desk = open_desk(model=HELD).open(f"#/c/{conversation['id']}")
    desk.send("Rin, are you there?").begun()
    expect(desk.replies.last.locator(".name")).to_have_text("Rin")
    mock_openrouter.release()
    desk.answered()
    desk.send("And you, Lumi?").answered()
    desk.page.reload()

    expect(desk.replies.locator(".name")).to_have_text(["Lumi", "Rin", "Lumi"])
    expect(desk.replies.nth(1)).to_have_accessible_name("Rin")


def test_somebody_plays_a_persona(desk: Desk, card: Path) -> None:
    desk.button("Who you are").click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Aoi")
    dialog.get_by_label("About you").fill("A fan from Osaka.")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("radio", name="Aoi")).to_be_checked()
    dialog.get_by_role("button", name="Edit Aoi").click()
    dialog.get_by_label("About you").fill("A fan from Kobe.")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("radio", name="A fan from Kobe.")).to_be_checked()
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
