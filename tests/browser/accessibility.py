"""What axe finds to object to on a page."""

from typing import Any

from tests.browser.desk import Desk

__all__ = ["assert_accessible"]

_STILL = """async () => {
    const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < Infinity);
    await Promise.allSettled(ending.map((one) => one.finished));
}"""


def assert_accessible(desk: Desk, axe: str) -> None:
    """Check that axe, whose script is given, finds nothing on what is shown now; colours that fade are waited for."""
    if not desk.page.evaluate("'axe' in window"):
        desk.page.evaluate(axe)
    desk.page.evaluate(_STILL)
    found: dict[str, Any] = desk.page.evaluate("axe.run({ resultTypes: ['violations'] })")
    problems = [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
    assert not problems, "\n".join(problems)
