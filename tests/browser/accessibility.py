"""What axe finds to object to on a page."""

from typing import Any

from tests.browser.desk import Desk

__all__ = ["assert_accessible"]


def assert_accessible(desk: Desk, axe: str) -> None:
    """Check that axe, whose script is given, finds nothing on what is shown now."""
    if not desk.page.evaluate("'axe' in window"):
        desk.page.evaluate(axe)
    found: dict[str, Any] = desk.page.evaluate("axe.run({ resultTypes: ['violations'] })")
    problems = [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
    assert problems == []
