"""README and tutorials, followed word for word on a machine where nothing was installed."""

import json
import re
import shutil
from time import monotonic

from playwright.sync_api import expect, sync_playwright

from tests.newcomer.checkout import Checkout, blocks

expect.set_options(timeout=60_000)
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def test_1_the_first_talk_is_answered_and_kept(checkout: Checkout, served: str) -> None:
    followed = checkout.follow("docs/tutorials/first-talk.md")
    checkout.times["First talk, until the first answer"] = followed.after_s[0]
    checkout.times["First talk, the rest"] = followed.after_s[-1] - followed.after_s[0]
    answered, _, kept, _ = followed.printed

    assert blocks("docs/tutorials/first-talk.md", "console") == ["$ make run\n"]
    assert json.loads(answered)["choices"][0]["message"]["content"]
    assert [message["role"] for message in json.loads(kept)["messages"]] == ["user", "assistant"] * 2


def test_2_a_character_is_made(checkout: Checkout, served: str) -> None:
    followed = checkout.follow("docs/tutorials/first-character.md")
    checkout.times["First character"] = followed.after_s[-1]

    assert "You must be Anna. Hold this." in "".join(followed.printed)


def test_3_she_talks_on_a_page_of_ones_own(checkout: Checkout, served: str) -> None:
    page_of_tutorial = "docs/tutorials/front-end.md"
    (html,), (commands,) = blocks(page_of_tutorial, "html"), blocks(page_of_tutorial)
    start, serve_page = commands.splitlines()
    began = monotonic()
    said = re.search(r"`(http://\S+/\?character=mika)`", (checkout.folder / page_of_tutorial).read_text())
    with checkout.running(serve_page), sync_playwright() as playwright:
        checkout.wait_for_port("9000")
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]).new_page()
        page.goto(f"{checkout.here(said[1] if said else '')}&server={served}")
        expect(page.locator("p.assistant").first).to_have_text("*waves a roll of tape* You must be Anna. Hold this.")
        page.get_by_role("textbox", name="Message").fill("Is the stage ready?")
        page.get_by_role("button", name="Send").click()
        expect(page.locator("p.assistant")).to_have_count(2)
        expect(page.locator("p.assistant").nth(1)).not_to_be_empty()
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    checkout.times["A front end of your own, until she has answered"] = monotonic() - began

    assert start == "IDOLCHAT_API_ALLOWED_ORIGINS=http://127.0.0.1:9000 make run"
    assert html == (checkout.folder / "examples" / "front-end" / "index.html").read_text()
