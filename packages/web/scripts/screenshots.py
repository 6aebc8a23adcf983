"""Take the pictures of docs/web.md, of a server with the character that comes with it: ``screenshots.py``.

It needs Debian's chromium, and is run from the root of the checkout.
"""

import json
import shutil
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from tests.support.server import Server  # noqa: E402  beside packages/, not inside one

IMAGES = ROOT / "docs" / "images"
LUMI = "019a0000-0000-7000-8000-6c756d690001"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SAID = [
    ("user", "Good evening, Lumi! I came home through the rain and thought of your song about the last train."),
    (
        "assistant",
        "*She laughs, and turns the page of the notebook so that you can read it.*\n\nThen you are just in time. I have"
        " had the second verse since Tuesday and no last line:\n\n> The platform clock says seven past,\n> the rain"
        " says: stay, the train says: fast.\n\nWhat would **you** have said to the rain?",
    ),
    ("user", "I would have said: take your time, I brought an umbrella."),
    (
        "assistant",
        "*The pencil is already moving.*\n\n“Take your time.” That is it. That is the line that I was walking around"
        " all week.\n\n1. It rhymes with nothing, which is honest.\n2. It is kind to the rain.\n3. It is yours, so you"
        " get a third of the royalties. A third of nothing, but on paper!\n\nWill you listen while I try it?",
    ),
]


def conversation(said: list[tuple[str, str]], *, minutes_ago: int = 3) -> dict[str, Any]:
    """Make a document of what was said."""
    begun = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    usage = {"input_tokens": 1340, "output_tokens": 96, "cost": 0.00041}
    messages = [
        {"id": str(uuid4()), "role": role, "content": text, "timestamp": (begun + timedelta(seconds=n)).isoformat()}
        | ({"usage": usage, "finish_reason": "stop", "turn_id": str(uuid4())} if role == "assistant" else {})
        for n, (role, text) in enumerate(said)
    ]
    head = {"id": str(uuid4()), "created_at": begun.isoformat(), "character_id": LUMI}
    return {**head, "messages": messages, "updated_at": messages[-1]["timestamp"]}


def spent(day: date, calls: int) -> str:
    """Make the ledger of a day."""
    lines = []
    for number in range(calls):
        facts = {"at": f"{day}T12:00:00+00:00", "purpose": "turn", "turn": None, "conversation": None, "user": None}
        facts |= {"key": None, "model": "m"}
        end: dict[str, Any] = {"ended": "", "outcome": "completed", "completion": None, "estimated": False}
        end |= {"input": 1340, "output": 96, "cost": 0.00041}
        lines += [{"open": f"{day}-{number}", **facts}, {"call": f"{day}-{number}", **facts, **end}]
    return "".join(json.dumps(line) + "\n" for line in lines)


def shoot(browser: Browser, url: str, name: str, *, screen: Any, dark: bool, look: str | None = None) -> None:
    """Take one picture."""
    context = browser.new_context(viewport=screen, color_scheme="dark" if dark else "light", locale="en-GB")
    page = context.new_page()
    page.goto(url)
    page.locator("main textarea").first.wait_for()
    if look:
        page.get_by_role("button", name="Look inside").first.click()
        page.get_by_role("tab", name=look).click()
    page.wait_for_timeout(900)
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()


def main() -> None:
    """Take all of them."""
    IMAGES.mkdir(exist_ok=True)
    shown = conversation(SAID)
    others = [
        conversation([("user", "Which of your songs is the oldest?"), ("assistant", "The one about the fern.")]),
        conversation([("user", "Sleep well!"), ("assistant", "Sleep well. Bring the umbrella.")], minutes_ago=1500),
    ]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        kept = Path(folder) / "data" / "conversations"
        kept.mkdir(parents=True)
        for one in (shown, *others):
            (kept / f"{one['id']}.json").write_text(json.dumps(one))
        ledger = Path(folder) / "data" / "logs" / "spending"
        ledger.mkdir(parents=True)
        today = datetime.now(UTC).date()
        for ago, calls in enumerate((4, 9, 0, 21, 13, 2, 0, 7, 30, 16, 5, 11, 0, 0, 8, 19, 24, 6)):
            day = today - timedelta(days=ago)
            (ledger / f"{day}").write_text(spent(day, calls))
        environment = {"OPENROUTER_API_KEY": "none", "OPENROUTER_BASE_URL": "http://127.0.0.1:9"}
        with Server(Path(folder), environment) as server:
            chromium = shutil.which("chromium") or "/usr/bin/chromium"
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            talk = f"{server.url}/#/c/{shown['id']}"
            shoot(browser, talk, "talk-light", screen=DESKTOP, dark=False)
            shoot(browser, talk, "look-dark", screen=DESKTOP, dark=True, look="Usage")
            shoot(browser, f"{server.url}/", "start-phone-light", screen=PHONE, dark=False)
            form = f"{server.url}/#/character/{LUMI}"
            shoot(browser, form, "character-light", screen=DESKTOP, dark=False)
            shoot(browser, form, "character-phone-dark", screen=PHONE, dark=True)
            shoot(browser, talk, "talk-phone-dark", screen=PHONE, dark=True)
            browser.close()


if __name__ == "__main__":
    main()
