"""The built site leads nowhere that is not there."""

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parents[2] / "site"
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html") if page.name != "404.html")
LINKS = {"a": "href", "area": "href", "img": "src", "link": "href", "script": "src", "source": "src"}
FETCHED = ("img", "link", "script", "source")


@dataclass
class Page(HTMLParser):
    """The ids of a page, and where it leads, as (tag, address)."""

    text: str
    ids: set[str] = field(default_factory=set)
    links: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an id or a name, and an address."""
        said = dict(attrs)
        self.ids |= {said[name] or "" for name in ("id", "name") if name in said}
        if address := said.get(LINKS.get(tag, "")):
            self.links.append((tag, address))


@cache
def read(file: Path) -> Page:
    """Read a page once."""
    return Page(file.read_text())


def is_there(page: Path, address: str) -> bool:
    """Whether an address of this site leads to a file, and to an id in it."""
    parts = urlsplit(address)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file() or not target.is_relative_to(SITE):
        return False
    return not parts.fragment or target.suffix != ".html" or unquote(parts.fragment) in read(target).ids


def test_the_site_is_built() -> None:
    """`make test ARGS="-s docs"` builds it first."""
    assert len(PAGES) > 30


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    page = SITE / name
    dead = [
        address
        for _, address in read(page).links
        if not urlsplit(address).scheme and not urlsplit(address).netloc and not is_there(page, address)
    ]

    assert dead == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_from_elsewhere(name: str) -> None:
    loaded = [address for tag, address in read(SITE / name).links if tag in FETCHED]

    assert [address for address in loaded if urlsplit(address).netloc] == []
