"""For everybody: screen readers, keyboard, light and dark, small and wide, either direction, three languages."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_accessible
from tests.browser.cable import Cable
from tests.browser.conftest import HELD, Open
from tests.browser.desk import Desk
from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [{"width": 1280, "height": 800}, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(
    open_desk: Open, axe: str, scheme: str, screen: dict[str, int], mock_openrouter: Mock
) -> None:
    desk = open_desk(color_scheme=scheme, model=HELD).open()
    desk.page.set_viewport_size({"width": screen["width"], "height": screen["height"]})
    expect(desk.composer).to_be_visible()
    assert_accessible(desk, axe)
    desk.send("**Hello**, [you](https://example.com)!").begun()
    assert_accessible(desk, axe)
    mock_openrouter.release()
    desk.answered()
    desk.of_last_reply("Another reply").click()
    expect(desk.replies.last).to_contain_text("2 / 2")
    desk.answered()
    desk.mine.last.hover()
    assert_accessible(desk, axe)
    desk.look_inside("Prompt")
    assert_accessible(desk, axe)
    for tab in ("Lore and memory", "Events", "Document", "Usage", "Server"):
        desk.turn_to(tab)
        assert_accessible(desk, axe)
    for path, title in (("#/characters", "Characters"), ("#/memory", "What is remembered")):
        desk.open(path)
        expect(desk.page.get_by_role("heading", level=1, name=title)).to_be_visible()
        assert_accessible(desk, axe)


def test_axe_finds_nothing_in_dialogs_and_at_the_door(
    open_desk: Open, axe: str, start_server: StartServer, mock_openrouter_process: Mock
) -> None:
    desk = open_desk().open()
    for name in ("Settings", "Who you are"):
        desk.button(name).click()
        expect(desk.page.get_by_role("dialog")).to_be_visible()
        assert_accessible(desk, axe)
        desk.page.keyboard.press("Escape")
        expect(desk.page.get_by_role("dialog")).to_have_count(0)
    environment = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": mock_openrouter_process.base_url}
    door = open_desk(start_server(**environment, IDOLCHAT_AUTH="api-key").url).open()
    expect(door.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert_accessible(door, axe)


def test_everything_is_done_by_the_keyboard_alone(desk: Desk) -> None:
    page = desk.page
    expect(desk.composer).to_be_focused()
    page.keyboard.type("Hello!")
    page.keyboard.press("Enter")
    expect(desk.mine).to_have_count(1)
    desk.answered()

    def tab_to(name: str) -> None:
        for _ in range(80):
            page.keyboard.press("Shift+Tab")
            if page.evaluate("document.activeElement.getAttribute('aria-label')") == name:
                return
        raise AssertionError(f"{name} cannot be reached")

    tab_to("Another reply")
    page.keyboard.press("Enter")
    expect(desk.replies.last).to_contain_text("2 / 2")
    desk.answered()
    desk.composer.focus()
    tab_to("Delete conversation")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("[aria-label='Delete conversation']")).to_be_focused()


def test_a_reply_is_said_to_screen_readers_when_it_is_whole(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk(model=HELD).open()
    desk.send("Hello!").begun()
    told = desk.page.locator(".messages > [role=status].unseen")
    expect(told).to_have_text("")
    mock_openrouter.release()

    expect(told).to_contain_text("Lumi answered. word0")


@pytest.mark.parametrize("width", [320, 360, 768, 1024, 1920])
def test_nothing_is_wider_than_the_screen(open_desk: Open, width: int, mock_openrouter: Mock) -> None:
    desk = open_desk().open()
    desk.page.set_viewport_size({"width": width, "height": 700})
    desk.send("A" * 400 + "\n\n```\n" + "x" * 400 + "\n```").answered()

    desk.fits_the_window()
    desk.look_inside("Prompt")
    desk.fits_the_window()


def test_on_a_phone_the_list_is_behind_a_button(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk().open()
    desk.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    desk.send("Hello!").answered()
    expect(desk.page.get_by_role("link", name="New conversation")).to_be_hidden()

    desk.button("Conversations").click()
    desk.page.get_by_role("link", name="New conversation").click()

    expect(desk.page.get_by_role("heading", name="Lumi")).to_be_visible()
    expect(desk.page.get_by_role("link", name="New conversation")).to_be_hidden()


def test_text_from_right_to_left_stands_so_between_text_from_left_to_right(desk: Desk) -> None:
    desk.send("שלום, מה שלומך?").answered()

    expect(desk.mine.last.locator("p")).to_have_css("direction", "rtl")
    expect(desk.replies.last.locator(".text p").first).to_have_css("direction", "ltr")


@pytest.mark.parametrize(
    ("locale", "new", "send"),
    [("ja-JP", "新しい会話", "送信"), ("ko-KR", "새 대화", "보내기"), ("de-DE", "New conversation", "Send")],
)
def test_it_speaks_the_browsers_language(browser: Any, served: Server, locale: str, new: str, send: str) -> None:
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(served.url)

    expect(page.get_by_role("link", name=new)).to_be_visible()
    expect(page.get_by_role("button", name=send, exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", locale[:2] if locale[:2] in ("ja", "ko") else "en")
    context.close()


def test_light_dark_and_language_are_chosen_and_kept(desk: Desk) -> None:
    desk.button("Settings").click()
    desk.page.get_by_label("Appearance").select_option("dark")
    desk.page.get_by_label("Language").select_option("한국어")
    expect(desk.page.get_by_role("heading", name="설정")).to_be_visible()
    desk.page.reload()

    expect(desk.page.get_by_role("link", name="새 대화")).to_be_visible()
    expect(desk.page.locator("html")).to_have_attribute("data-theme", "dark")


class TestUnderAPath:
    """Behind a proxy that serves it under a path and takes that off."""

    @pytest.fixture
    def prefixed(self, served: Server) -> Iterator[Cable]:
        with Cable(served.url, prefix="/idol") as cable:
            yield cable

    def test_it_talks(self, open_desk: Open, prefixed: Cable, mock_openrouter: Mock) -> None:
        desk = open_desk(prefixed.url, path="/idol").open()
        desk.send("Hello!").answered()
        desk.page.reload()

        expect(desk.replies.last).to_contain_text("word63")
        expect(desk.page.locator(".bar .avatar img")).to_be_visible()
