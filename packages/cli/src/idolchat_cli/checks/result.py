"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CheckResult", "Status", "fail", "ok", "warn"]


class Status(StrEnum):
    """``warn`` works, but not as somebody may think; ``fail`` does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of a report: what was looked at, how it stands, and how to mend it where that is known."""

    check: str
    status: Status
    message: str
    mend: str | None = None


def ok(check: str, message: str, mend: str | None = None) -> CheckResult:
    """Report that something works."""
    return CheckResult(check, Status.OK, message, mend)


def warn(check: str, message: str, mend: str | None = None) -> CheckResult:
    """Report that something works, but not as somebody may think."""
    return CheckResult(check, Status.WARN, message, mend)


def fail(check: str, message: str, mend: str | None = None) -> CheckResult:
    """Report that something does not work."""
    return CheckResult(check, Status.FAIL, message, mend)
