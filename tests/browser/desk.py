"""The page as a person uses it: by what is written on it and what screen readers are told."""

from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, expect

__all__ = ["Desk"]


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
        return urlsplit(self.page.url).fragment.removeprefix("/c/")

    @property
    def composer(self) -> Locator:
        """Where a message is written."""
        return self.page.get_by_role("textbox", name="Message", exact=True)

    def send(self, text: str) -> Self:
        """Write a message and send it by the keyboard."""
        self.composer.fill(text)
        self.composer.press("Enter")
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

    def button(self, name: str) -> Locator:
        """Find a button by its name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def of_last_reply(self, name: str) -> Locator:
        """Find a button of the last reply."""
        return self.replies.last.get_by_role("button", name=name, exact=True)

    def answered(self) -> Self:
        """Wait until nothing is under way."""
        expect(self.page.locator("article[aria-busy=true]")).to_have_count(0)
        expect(self.page.locator("article[data-state]")).to_have_count(0)
        return self

    def begun(self) -> Self:
        """Wait until the first words of a reply are there."""
        expect(self.page.locator("article[aria-busy=true] .text")).to_be_visible()
        return self
