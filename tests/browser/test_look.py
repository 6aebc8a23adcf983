"""Looking inside: what the server did for a reply."""

from playwright.sync_api import expect

from tests.browser.conftest import HELD, Open
from tests.browser.desk import Desk
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server


def test_a_prompt_is_shown_part_by_part(desk: Desk) -> None:
    desk.send("Hello!").answered()
    desk.of_last_reply("Why this reply").click()
    panel = desk.page.get_by_role("tabpanel")

    expect(panel).to_contain_text("tokens")
    expect(panel.get_by_role("row").filter(has_text="characters description")).to_be_visible()


def test_events_are_shown_as_they_come_and_again(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk(model=HELD).open()
    desk.send("Hello!").begun()
    panel = desk.look_inside("Events")
    expect(panel.get_by_role("listitem").first).to_contain_text("started")
    mock_openrouter.release()
    desk.answered()

    desk.button("Show the events of the last turn").click()

    expect(panel.get_by_role("listitem").last).to_contain_text("ended")


def test_the_document_is_shown_as_it_is_stored(desk: Desk, served: Server) -> None:
    desk.send("Hello!").answered()
    panel = desk.look_inside("Document")
    stored = served.document(desk.conversation_id).read_text()

    expect(panel.locator("pre").first).to_have_text(stored.split("\n")[0])
    with desk.page.expect_download() as download:
        panel.get_by_role("button", name="Download").click()
    assert download.value.path().read_text() == stored


def test_usage_is_added_up(desk: Desk) -> None:
    desk.send("Hello!").answered()
    panel = desk.look_inside("Usage")

    for name in ("Each reply", "Each day"):
        plot = panel.get_by_role("figure", name=name)
        expect(plot.locator("svg g").last).to_be_visible()
        plot.get_by_text("As a table").click()
        expect(plot.get_by_role("table", name=name).get_by_role("row").last).to_contain_text("$")


def test_usage_is_shown_in_tokens_too(desk: Desk) -> None:
    desk.send("Hello!").answered()
    panel = desk.look_inside("Usage")
    panel.get_by_label("Show").select_option("Tokens")
    panel.get_by_role("figure", name="Each reply").get_by_text("As a table").click()

    expect(panel.get_by_role("table", name="Each reply").get_by_role("row").last).not_to_contain_text("$")
    expect(panel.get_by_role("list").filter(has_text="Written").first).to_be_visible()


def test_the_servers_health_is_shown_to_who_operates_it(desk: Desk) -> None:
    desk.send("Hello!").answered()
    panel = desk.look_inside("Server")

    expect(panel).to_contain_text("openrouter: ok")
    expect(panel.get_by_role("link", name="API reference")).to_be_visible()


def test_tabs_are_changed_by_the_keyboard(desk: Desk) -> None:
    desk.send("Hello!").answered()
    desk.look_inside("Lore and memory")
    desk.page.get_by_role("tab", name="Lore and memory").press("ArrowRight")

    expect(desk.page.get_by_role("tab", name="Events")).to_be_focused()
    expect(desk.page.get_by_role("tab", name="Events")).to_have_attribute("aria-selected", "true")
