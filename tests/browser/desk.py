"""The page as a person uses it: by what is written on it and what screen readers are told."""

import re
from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, expect

__all__ = ["PATIENCE_MS", "Desk"]

PATIENCE_MS = 60_000


class Desk:
    """One window of a browser."""

    def __init__(self, context: BrowserContext, url: str, page: Page | None = None) -> None:
        self.context = context
        self.url = url
        self.page = page or context.new_page()

    def open(self, fragment: str = "") -> Self:
        """Go to the page, and wait until it is there."""
        self.page.goto(f"{self.url}/{fragment}")
        self.page.wait_for_selector("#page > *")
        return self

    def second_window(self) -> "Desk":
        """Open the same address in another window of the same browser."""
        other = Desk(self.context, self.url)
        other.page.goto(self.page.url)
        return other

    @property
    def conversation_id(self) -> str:
        """The conversation that is shown."""
        expect(self.page).to_have_url(re.compile("#/c/"))
        return urlsplit(self.page.url).fragment.removeprefix("/c/")

    @property
    def composer(self) -> Locator:
        """Where a message is written."""
        return self.page.get_by_role("textbox", name="Message", exact=True)

    def send(self, text: str) -> Self:
        """Write a message and send it by the keyboard; it is shown then, and the reply that is waited for."""
        self.composer.fill(text)
        self.composer.press("Enter")
        expect(self.composer).to_have_value("")
        expect(self.messages.first).to_be_visible()
        return self

    @property
    def messages(self) -> Locator:
        """All messages that are shown."""
        return self.page.get_by_role("log").get_by_role("article")

    @property
    def replies(self) -> Locator:
        """All replies that are shown."""
        return self.page.locator("article.reply")

    @property
    def mine(self) -> Locator:
        """The user's messages."""
        return self.page.locator("article.mine")

    @property
    def texts(self) -> Locator:
        """What the messages that are shown say."""
        return self.messages.locator(".text")

    def button(self, name: str) -> Locator:
        """Find a button by its name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def of_last_reply(self, name: str) -> Locator:
        """Find a button of the last reply."""
        return self.replies.last.get_by_role("button", name=name, exact=True)

    def answered(self) -> Self:
        """Wait until nothing is under way, and a reply is the last that is shown: so it is on disk."""
        at_rest = self.page.get_by_role("log").filter(has_not=self.page.locator("article[data-state]"))
        expect(at_rest.get_by_role("article").last).to_have_class(re.compile(r"\breply\b"))
        return self

    def begun(self) -> Self:
        """Wait until the first words of a reply are there."""
        expect(self.page.locator("article[aria-busy=true] .text")).to_be_visible()
        return self

    def look_inside(self, tab: str) -> Locator:
        """Open the panel on one of its tabs; return what is shown there, once it is read."""
        self.button("Look inside").click()
        return self.turn_to(tab)

    def turn_to(self, tab: str) -> Locator:
        """Show another tab of the panel; return what is shown there, once it is read."""
        self.page.get_by_role("tab", name=tab).click()
        panel = self.page.get_by_role("tabpanel", name=tab)
        expect(panel).to_be_visible()
        expect(panel.get_by_text("One moment")).to_have_count(0)
        return panel

    def fits_the_window(self) -> None:
        """Wait until nothing is wider than the window."""
        self.wait_until("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    def wait_until(self, condition: str) -> None:
        """Wait until JavaScript holds in the page, whose policy ``Page.wait_for_function`` violates."""
        self.page.evaluate(
            f"""async (patienceMs) => {{
                const giveUpAt = Date.now() + patienceMs;
                while (!({condition})) {{
                    if (Date.now() > giveUpAt) throw new Error("it does not become true");
                    await new Promise(requestAnimationFrame);
                }}
            }}""",
            PATIENCE_MS,
        )
