"""``idol doctor``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import typer
from pydantic import Field
from rich.console import Console

import idolchat_cli
from idolchat_cli.checks.result import CheckResult, Status
from idolchat_cli.checks.runner import run_checks
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, columns, number_of, on_stderr, on_stdout, print_json, show
from idolchat_cli.results import Result

__all__ = ["RESULT", "app"]

STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}
WIDTHS = (len(Status.WARN), len("data folder"))


class Report(Result):
    """What the doctor found."""

    status: Status = Field(description="the worst of all")
    version: str
    checks: list[CheckResult] = Field(
        description="a check may come more than once, or not at all where it does not apply"
    )


RESULT = Report

app = new_app()


@app.command(epilog=examples("idol doctor", "idol doctor --json | jq -r '.checks[] | select(.status == \"fail\")'"))
def doctor(
    as_json: AsJson = False,
) -> None:
    """Check the installation and say how to mend it.

    Looks at settings, plugins, the data folder, storage, provider and model. Exits with 1 if something does not
    work; warnings alone are no reason.
    """
    console = on_stdout()
    findings = asyncio.run(_collected(lambda finding: None if as_json else _show(console, finding)))
    worst = max(findings, key=lambda finding: list(Status).index(finding.status)).status
    if as_json:
        print_json(Report(status=worst, version=idolchat_cli.__version__, checks=findings))
    else:
        _sum_up(console, findings)
    if worst is Status.FAIL:
        raise typer.Exit(1)


async def _collected(show: Callable[[CheckResult], None]) -> list[CheckResult]:
    findings: list[CheckResult] = []
    checks = run_checks()
    while True:
        with on_stderr().status("Checking"):
            finding = await anext(checks, None)
        if finding is None:
            return findings
        show(finding)
        findings.append(finding)


def _show(console: Console, finding: CheckResult) -> None:
    rows = [[cell(finding.status, STYLES[finding.status]), cell(finding.check), cell(finding.message)]]
    if finding.mend:
        rows.append([cell(""), cell(""), cell(f"mend: {finding.mend}", "dim")])
    show(console, columns(rows, widths=WIDTHS))


def _sum_up(console: Console, findings: list[CheckResult]) -> None:
    counted = Counter(finding.status for finding in findings)
    problems, warnings = counted[Status.FAIL], counted[Status.WARN]
    console.print(f"\n{number_of(problems, 'problem')}, {number_of(warnings, 'warning')}")
