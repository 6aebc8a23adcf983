"""How soon the page is there, and how evenly 10,000 messages scroll: ``python -m benchmarks.page``.

It needs Debian's chromium and the dependency group ``browser``. Numbers are of this machine; a browser without a screen
draws by the processor.
"""

import argparse
import gzip
import json
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from tests.browser.test_long import long_conversation
from tests.support.server import Server

import idolchat_web

STATIC = Path(idolchat_web.__file__).parent / "static"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
SCROLLED = """async (steps) => {
    const list = document.querySelector('.scroll');
    const times = [];
    let before = await new Promise(requestAnimationFrame);
    for (let step = 0; step < steps; step += 1) {
        list.scrollTop -= 400;
        const now = await new Promise(requestAnimationFrame);
        times.push(now - before);
        before = now;
    }
    return times;
}"""


def spread(times: list[float]) -> dict[str, float]:
    """Sum up times in milliseconds."""
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 1),
        "longest_ms": round(ordered[-1], 1),
    }


def first_paint(page: Page, url: str, count: int) -> dict[str, float]:
    """Open the page again and again, and measure when something is seen."""
    times = []
    for _ in range(count):
        page.goto("about:blank")
        page.goto(url)
        page.wait_for_selector("#page textarea")
        times.append(float(page.evaluate(PAINTED)))
    return spread(times)


def scrolling(page: Page, url: str, conversation_id: str, steps: int) -> dict[str, float]:
    """Scroll through a long conversation, 400 pixels a frame, and measure the frames."""
    page.goto(f"{url}/#/c/{conversation_id}")
    page.get_by_text("Message 9999.").last.wait_for()
    page.wait_for_timeout(1000)  # what is read in the background is there
    times: list[float] = page.evaluate(SCROLLED, steps)
    return spread(times)


def measured(steps: int) -> dict[str, Any]:
    """Measure everything with one server and one browser."""
    scripts = [path.read_bytes() for path in (STATIC / "assets").glob("index-*.js")]
    scripts += [path.read_bytes() for path in (STATIC / "assets").glob("src-*.js")]
    conversation_id, document = long_conversation()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        environment = {"OPENROUTER_API_KEY": "none", "OPENROUTER_BASE_URL": "http://127.0.0.1:9"}
        with Server(Path(folder), environment) as server:
            (server.data / "conversations").mkdir(parents=True, exist_ok=True)
            (server.data / "conversations" / f"{conversation_id}.json").write_text(document)
            chromium = shutil.which("chromium") or "/usr/bin/chromium"
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            found = {
                "script_gzip_bytes": sum(len(gzip.compress(script, 6)) for script in scripts),
                "first_paint": first_paint(page, server.url, 5),
                "frames": scrolling(page, server.url, conversation_id, steps),
            }
            browser.close()
    return found


def main() -> None:
    """Print what was measured as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=600, help="how many frames are scrolled")
    print(json.dumps(measured(options.parse_args().steps), indent=2))


if __name__ == "__main__":
    main()
